{{- /* Where a process's program is in its image. */ -}}
{{- define "dynamo.program" -}}
{{- if eq . "gateway" -}}gateway/dist/main.js{{- else -}}control-plane/dist/processes/{{ . }}/main.js{{- end -}}
{{- end -}}

{{- define "dynamo.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.runAsUser }}
  runAsGroup: {{ .Values.runAsUser }}
  fsGroup: {{ .Values.runAsUser }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.images.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "dynamo.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "dynamo.podLabels" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}{{- $own := index . 2 -}}
{{- with $own.podLabels }}{{ toYaml . }}
{{ end -}}
{{ include "dynamo.podOwnLabels" $root }}
app.kubernetes.io/component: {{ $name }}
{{- if has $name (list "intake" "jobs" "decisions" "api") }}
dynamo-csms/release: {{ include "dynamo.release" $root | quote }}
{{- end }}
{{- if ne $name "migrate" }}
dynamo-csms/metrics: "true"
{{- end }}
{{- end -}}

{{- define "dynamo.placement" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}{{- $own := index . 2 -}}
{{- with $own.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $own.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $own.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if and (ne $own.topologySpread "none") (ne $name "migrate") }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $own.topologySpread }}
    labelSelector:
      matchLabels:
        {{- include "dynamo.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ $name }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{- /*
What a pod waits for before its process starts: the schema (whoever uses Postgres), and, in the order of an upgrade, that
those before it have pods of this release. /livez is asked, not /readyz: an outage of Redis or Postgres holds up nobody.
*/ -}}
{{- define "dynamo.waits" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- $before := get (dict "intake" list "jobs" (list "intake") "decisions" (list "intake") "api" (list "intake" "jobs" "decisions") "gateway" (list "intake" "jobs" "decisions" "api")) $name -}}
{{- if eq (int $root.Values.upgradeOrderSeconds) 0 -}}{{- $before = list -}}{{- end -}}
{{- if or $before (ne $name "gateway") }}
initContainers:
  - name: wait
    image: {{ ternary (include "dynamo.gatewayImage" $root) (include "dynamo.controlPlaneImage" $root) (eq $name "gateway") }}
    imagePullPolicy: {{ $root.Values.images.pullPolicy }}
    args:
      - {{ ternary "gateway/dist/wait.js" "control-plane/dist/processes/wait/main.js" (eq $name "gateway") }}
      {{- if $before }}
      - --limit-seconds={{ $root.Values.upgradeOrderSeconds }}
      {{- end }}
      {{- range $before }}
      - http://{{ include "dynamo.fullname" $root }}-{{ . }}-live:9100/livez
      {{- end }}
    {{- if ne $name "gateway" }}
    env:
      - name: DATABASE_URL_FILE
        value: /run/secrets/dynamo/DATABASE_URL
      {{- with include "dynamo.trustedCaEnv" $root }}
      {{- . | nindent 6 }}
      {{- end }}
    volumeMounts:
      - name: secrets
        mountPath: /run/secrets/dynamo
        readOnly: true
    {{- end }}
    resources:
      requests: { cpu: 50m, memory: 64Mi }
      limits: { memory: 256Mi }
    {{- include "dynamo.containerSecurity" $root | nindent 4 }}
{{- end }}
{{- end -}}
