{{- /* Which keys of which Secrets a process reads: (list $ "gateway"), as a YAML list of {variable, secret, key} */ -}}
{{- define "dynamo.secretFiles" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- $v := $root.Values -}}
{{- $secrets := $v.secrets -}}
{{- $database := dict "variable" "DATABASE_URL" "secret" (include "dynamo.secretName" (list $root "database")) "key" $secrets.database.key -}}
{{- $files := list -}}
{{- if has $name (list "api" "decisions" "intake" "jobs" "test") -}}{{- $files = append $files $database -}}{{- end -}}
{{- if eq $name "migrate" -}}{{- $files = append $files (merge (dict "key" (default $secrets.database.key $secrets.database.migrationKey)) $database) -}}{{- end -}}
{{- if has $name (list "gateway" "api" "decisions" "intake" "jobs" "test") -}}
{{- $key := $secrets.redis.key -}}
{{- if eq $name "gateway" -}}{{- $key = default $key $secrets.redis.gatewayKey -}}{{- end -}}
{{- $files = append $files (dict "variable" "REDIS_URL" "secret" (include "dynamo.secretName" (list $root "redis")) "key" $key) -}}
{{- $stationKeys := include "dynamo.secretName" (list $root "stationKeys") -}}
{{- $files = append $files (dict "variable" "SECRETS_KEY" "secret" $stationKeys "key" "SECRETS_KEY") -}}
{{- if has $name (list "gateway" "api" "test") -}}{{- $files = append $files (dict "variable" "STATION_PEPPERS" "secret" $stationKeys "key" "STATION_PEPPERS") -}}{{- end -}}
{{- end -}}
{{- if eq $name "api" -}}
{{- $jwt := include "dynamo.secretName" (list $root "jwt") -}}
{{- $files = append $files (dict "variable" "JWT_SIGNING_KEY" "secret" $jwt "key" "JWT_SIGNING_KEY") -}}
{{- if $secrets.jwt.previousKeys -}}{{- $files = append $files (dict "variable" "JWT_PREVIOUS_KEYS" "secret" $jwt "key" "JWT_PREVIOUS_KEYS") -}}{{- end -}}
{{- range $variable := list "PDF_SIGNING_KEY" "PDF_SIGNING_CERT" -}}{{- $files = append $files (dict "variable" $variable "secret" (include "dynamo.secretName" (list $root "pdf")) "key" $variable) -}}{{- end -}}
{{- end -}}
{{- if eq $name "jobs" -}}{{- $files = append $files (dict "variable" "SMTP_URL" "secret" (include "dynamo.secretName" (list $root "smtp")) "key" $secrets.smtp.key) -}}{{- end -}}
{{- if and (has $name (list "gateway" "decisions")) (ne $v.decisions.tls.mode "off") -}}
{{- range $variable, $key := dict "DECISIONS_CA" "ca.crt" "DECISIONS_CERT" "tls.crt" "DECISIONS_KEY" "tls.key" -}}{{- $files = append $files (dict "variable" $variable "secret" (include "dynamo.decisionsTlsSecret" $root) "key" $key) -}}{{- end -}}
{{- end -}}
{{- if eq $name "gateway" -}}
{{- if or $v.gateway.tls.enabled $v.gateway.mtls.enabled -}}
{{- range $variable, $key := dict "GATEWAY_TLS_CERT" "tls.crt" "GATEWAY_TLS_KEY" "tls.key" -}}{{- $files = append $files (dict "variable" $variable "secret" $v.gateway.tls.existingSecret "key" $key) -}}{{- end -}}
{{- end -}}
{{- with $v.gateway.mtls.caSecret -}}{{- $files = append $files (dict "variable" "GATEWAY_MTLS_CA" "secret" . "key" $v.gateway.mtls.caKey) -}}{{- end -}}
{{- end -}}
{{- if and $v.tracing.enabled $v.tracing.headers.existingSecret (not (has $name (list "migrate" "test"))) -}}{{- $files = append $files (dict "variable" "OTEL_EXPORTER_OTLP_HEADERS" "secret" $v.tracing.headers.existingSecret "key" $v.tracing.headers.key) -}}{{- end -}}
{{- if ne $name "test" -}}
{{- $own := include "dynamo.component" (list $root $name) | fromYaml -}}
{{- range $variable, $file := $own.secretFiles -}}{{- $files = append $files (dict "variable" $variable "secret" $file.secret "key" $file.key) -}}{{- end -}}
{{- end -}}
{{- toYaml $files -}}
{{- end -}}

{{- /* Plain variables of a process, as a YAML map; later ones of a person's go before earlier ones. */ -}}
{{- define "dynamo.plainEnv" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- $v := $root.Values -}}
{{- $own := include "dynamo.component" (list $root $name) | fromYaml -}}
{{- $env := dict "NODE_ENV" (include "dynamo.environment" $root) -}}
{{- if ne $name "migrate" -}}
{{- $shutdown := 25 -}}{{- if eq $name "gateway" -}}{{- $shutdown = include "dynamo.gatewayShutdownSeconds" $root | int -}}{{- end -}}
{{- $env = merge $env (dict "INTERNAL_HOST" $v.listenAddress "INTERNAL_PORT" "9100" "SHUTDOWN_DEADLINE_MS" (mul 1000 $shutdown)) -}}
{{- end -}}
{{- if eq $name "gateway" -}}
{{- $env = merge $env (dict "GATEWAY_HOST" $v.listenAddress "GATEWAY_PORT" (ternary $v.gateway.plain.port "off" $v.gateway.plain.enabled)) -}}
{{- if $v.gateway.tls.enabled -}}{{- $_ := set $env "GATEWAY_TLS_PORT" $v.gateway.tls.port -}}{{- end -}}
{{- if $v.gateway.mtls.enabled -}}{{- $_ := set $env "GATEWAY_MTLS_PORT" $v.gateway.mtls.port -}}{{- end -}}
{{- $env = merge $env (dict "DECISIONS_URL" (printf "%s:50051" (include "dynamo.decisionsHost" $root)) "ACK_DURABILITY" $v.gateway.ack.durability "DRAIN_DEADLINE_MS" (mul 1000 (include "dynamo.drainSeconds" $root | int)) "DRAIN_CLOSES_PER_SECOND" $v.gateway.drain.closesPerSecond) -}}
{{- if eq $v.gateway.ack.durability "replica" -}}{{- $_ := set $env "ACK_REPLICAS" $v.gateway.ack.replicas -}}{{- end -}}
{{- end -}}
{{- if and (has $name (list "gateway" "api")) $v.trustedProxies -}}{{- $_ := set $env "TRUSTED_PROXIES" (join "," $v.trustedProxies) -}}{{- end -}}
{{- if eq $name "api" -}}{{- $env = merge $env (dict "API_HOST" $v.listenAddress "API_PORT" "3000" "PUBLIC_API_URL" (include "dynamo.publicApiUrl" $root)) -}}{{- end -}}
{{- if has $name (list "api" "jobs") -}}{{- $env = merge $env (dict "PUBLIC_OCPP_URL" (include "dynamo.publicOcppUrl" $root) "WEBHOOK_PORTS" (join "," $v.networkPolicy.webhooks.ports)) -}}{{- end -}}
{{- if and (eq $name "jobs") $v.mailFrom -}}{{- $_ := set $env "MAIL_FROM" $v.mailFrom -}}{{- end -}}
{{- if and $v.tracing.enabled (ne $name "migrate") -}}{{- $env = merge $env (dict "OTEL_TRACES_EXPORTER" "otlp" "OTEL_EXPORTER_OTLP_ENDPOINT" $v.tracing.endpoint "OTEL_TRACES_SAMPLER" $v.tracing.sampler "OTEL_TRACES_SAMPLER_ARG" $v.tracing.ratio) -}}{{- end -}}
{{- if eq $name "decisions" -}}{{- $env = merge $env (dict "DECISIONS_HOST" $v.listenAddress "DECISIONS_PORT" "50051") -}}{{- end -}}
{{- toYaml (mergeOverwrite (deepCopy $v.config) ($own.env | default dict) $env) -}}
{{- end -}}

{{- /* The list of a container's variables. */ -}}
{{- define "dynamo.env" -}}
{{- $root := index . 0 -}}{{- $name := index . 1 -}}
{{- if eq $name "gateway" -}}
- name: NODE_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{ end -}}
{{- range $variable, $value := include "dynamo.plainEnv" (list $root $name) | fromYaml }}
- name: {{ $variable }}
  value: {{ include "dynamo.text" $value | quote }}
{{- end }}
{{- range include "dynamo.secretFiles" (list $root $name) | fromYamlArray }}
- name: {{ .variable }}_FILE
  value: /run/secrets/dynamo/{{ .variable }}
{{- end }}
{{- with include "dynamo.trustedCaEnv" $root }}
{{ . }}
{{- end }}
{{- end -}}

{{- /* Node reads it when a process starts, beside the authorities that it brings along. */ -}}
{{- define "dynamo.trustedCaEnv" -}}
{{- if .Values.trustedCa.existingSecret -}}
- name: NODE_EXTRA_CA_CERTS
  value: /run/secrets/dynamo/trusted-ca.crt
{{- end -}}
{{- end -}}

{{- /* Numbers come as floating point: 10000000 must not become 1e+07. */ -}}
{{- define "dynamo.text" -}}
{{- if kindIs "float64" . -}}{{- if eq . (floor .) -}}{{ int64 . }}{{- else -}}{{ . }}{{- end -}}{{- else -}}{{ . }}{{- end -}}
{{- end -}}

{{- /* One volume with the files of all its Secrets. */ -}}
{{- define "dynamo.secretVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range include "dynamo.secretFiles" . | fromYamlArray }}
      - secret:
          name: {{ .secret }}
          items:
            - key: {{ .key }}
              path: {{ .variable }}
      {{- end }}
      {{- with (index . 0).Values.trustedCa }}
      {{- if .existingSecret }}
      - secret:
          name: {{ .existingSecret }}
          items:
            - key: {{ .key }}
              path: trusted-ca.crt
      {{- end }}
      {{- end }}
{{- end -}}
