{{- define "dynamo.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What selects all pods of the release. */ -}}
{{- define "dynamo.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dynamo.labels" -}}
{{ include "dynamo.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dynamo-csms
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- /*
What pods carry. No version of chart or image: a label that changes replaces the pod, and a gateway's takes its charge points
with it.
*/ -}}
{{- define "dynamo.podOwnLabels" -}}
{{ include "dynamo.selector" . }}
app.kubernetes.io/part-of: dynamo-csms
{{- end -}}

{{- /* An image by its part of the values: (list $ .Values.images.gateway) */ -}}
{{- define "dynamo.image" -}}
{{- $root := index . 0 -}}{{- $image := index . 1 -}}
{{- $registry := $root.Values.global.imageRegistry | trimSuffix "/" -}}
{{- $name := ternary $image.repository (printf "%s/%s" $registry $image.repository) (eq $registry "") -}}
{{- if $image.digest -}}{{ printf "%s@%s" $name $image.digest }}{{- else -}}{{ printf "%s:%s" $name (default $root.Chart.AppVersion $image.tag) }}{{- end -}}
{{- end -}}

{{- define "dynamo.controlPlaneImage" -}}{{ include "dynamo.image" (list . .Values.images.controlPlane) }}{{- end -}}
{{- define "dynamo.gatewayImage" -}}{{ include "dynamo.image" (list . .Values.images.gateway) }}{{- end -}}

{{- /* Which release of the control plane a pod belongs to: later ones in the order of an upgrade wait for it. */ -}}
{{- define "dynamo.release" -}}{{ include "dynamo.controlPlaneImage" . | sha256sum | trunc 8 }}{{- end -}}

{{- /* A process's own part of the values over what all have: (list $ "gateway"), as YAML */ -}}
{{- define "dynamo.component" -}}
{{- $root := index . 0 -}}
{{- mergeOverwrite (deepCopy $root.Values.podDefaults) (deepCopy (index $root.Values (index . 1))) | toYaml -}}
{{- end -}}

{{- define "dynamo.environment" -}}
{{- default (ternary "development" "production" .Values.trial.enabled) .Values.environment -}}
{{- end -}}

{{- define "dynamo.publicApiUrl" -}}
{{- if .Values.publicUrls.api -}}{{ .Values.publicUrls.api }}
{{- else if .Values.hosts.api -}}{{ printf "https://%s" .Values.hosts.api }}
{{- else if .Values.trial.enabled -}}http://localhost:3000{{- end -}}
{{- end -}}

{{- define "dynamo.publicOcppUrl" -}}
{{- if .Values.publicUrls.ocpp -}}{{ .Values.publicUrls.ocpp }}
{{- else if .Values.hosts.ocpp -}}{{ printf "wss://%s" .Values.hosts.ocpp }}
{{- else if .Values.trial.enabled -}}{{ printf "ws://localhost:%v" .Values.gateway.plain.port }}{{- end -}}
{{- end -}}

{{- /* Seconds: a gateway gives commands up to half of its drain, so each half must do: for them, and for closing all
connections at the set pace. */ -}}
{{- define "dynamo.drainSeconds" -}}
{{- $drain := .Values.gateway.drain -}}
{{- mul 2 (max (ceil (divf .Values.gateway.connectionsPerPod $drain.closesPerSecond) | int) (int $drain.commandSeconds)) -}}
{{- end -}}

{{- /* 10 s after the drain are for sealing the lane; 5 s nobody needs. */ -}}
{{- define "dynamo.gatewayShutdownSeconds" -}}{{ add 10 (include "dynamo.drainSeconds" . | int) }}{{- end -}}
{{- define "dynamo.gatewayGraceSeconds" -}}
{{- add 5 (include "dynamo.gatewayShutdownSeconds" . | int) (int .Values.gateway.drain.preStopSeconds) -}}
{{- end -}}

{{- /* Names of the Secrets. */ -}}
{{- define "dynamo.secretName" -}}
{{- $root := index . 0 -}}{{- $part := index . 1 -}}
{{- $existing := (index $root.Values.secrets $part).existingSecret -}}
{{- if $existing -}}{{ $existing }}
{{- else if and $root.Values.trial.enabled (has $part (list "database" "redis" "smtp")) -}}{{ include "dynamo.fullname" $root }}-trial
{{- else -}}{{ include "dynamo.fullname" $root }}-{{ $part | kebabcase }}{{- end -}}
{{- end -}}

{{- define "dynamo.decisionsTlsSecret" -}}
{{- if eq .Values.decisions.tls.mode "existing" -}}{{ .Values.decisions.tls.existingSecret }}{{- else -}}{{ include "dynamo.fullname" . }}-decisions-tls{{- end -}}
{{- end -}}

{{- define "dynamo.decisionsHost" -}}{{ include "dynamo.fullname" . }}-decisions.{{ .Release.Namespace }}.svc{{- end -}}
