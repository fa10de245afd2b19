{{- /* Everything that cannot work, all of it at once: a release that would fail in the cluster is refused here. */ -}}
{{- define "dynamo.checks" -}}
{{- $v := .Values -}}
{{- $fullname := include "dynamo.fullname" . -}}
{{- $mistakes := list -}}
{{- $production := eq (include "dynamo.environment" .) "production" -}}
{{- $apiUrl := include "dynamo.publicApiUrl" . -}}
{{- $ocppUrl := include "dynamo.publicOcppUrl" . -}}

{{- /* Addresses */ -}}
{{- if not $apiUrl -}}{{- $mistakes = append $mistakes "hosts.api: the host of the REST API is not set" -}}{{- end -}}
{{- if not $ocppUrl -}}{{- $mistakes = append $mistakes "hosts.ocpp: the host that charge points connect to is not set" -}}{{- end -}}
{{- if and $production $apiUrl (not (hasPrefix "https://" $apiUrl)) -}}{{- $mistakes = append $mistakes "publicUrls.api: want https:// in production" -}}{{- end -}}
{{- if and $production $ocppUrl (not (hasPrefix "wss://" $ocppUrl)) -}}{{- $mistakes = append $mistakes "publicUrls.ocpp: want wss:// in production" -}}{{- end -}}
{{- if and $production (not $v.mailFrom) -}}{{- $mistakes = append $mistakes "mailFrom: who mails come from is not set, such as `Example CPO <noreply@example.com>`" -}}{{- end -}}

{{- /* Secrets */ -}}
{{- range $part := list "database" "redis" "smtp" -}}
{{- $existing := (index $v.secrets $part).existingSecret -}}
{{- if and (not $existing) (not $v.trial.enabled) -}}{{- $mistakes = append $mistakes (printf "secrets.%s.existingSecret: want the name of a Secret with %s (or trial.enabled=true for a first look)" $part (index $v.secrets $part).key) -}}{{- end -}}
{{- if and $existing $v.trial.enabled -}}{{- $mistakes = append $mistakes (printf "secrets.%s.existingSecret together with trial.enabled: the trial brings its own" $part) -}}{{- end -}}
{{- end -}}
{{- if not $v.secrets.generate -}}
{{- range $part := list "stationKeys" "jwt" "pdf" -}}
{{- if not (index $v.secrets $part).existingSecret -}}{{- $mistakes = append $mistakes (printf "secrets.%s.existingSecret: not set, and secrets.generate is false" $part) -}}{{- end -}}
{{- end -}}
{{- if eq $v.decisions.tls.mode "generated" -}}{{- $mistakes = append $mistakes "decisions.tls.mode=generated, and secrets.generate is false: want existing or off" -}}{{- end -}}
{{- end -}}
{{- if and $v.secrets.jwt.previousKeys (not $v.secrets.jwt.existingSecret) -}}{{- $mistakes = append $mistakes "secrets.jwt.previousKeys without secrets.jwt.existingSecret: a made Secret has no former keys" -}}{{- end -}}
{{- if and (eq $v.decisions.tls.mode "existing") (not $v.decisions.tls.existingSecret) -}}{{- $mistakes = append $mistakes "decisions.tls.existingSecret: not set, and decisions.tls.mode is existing" -}}{{- end -}}
{{- if and (ne $v.decisions.tls.mode "existing") $v.decisions.tls.existingSecret -}}{{- $mistakes = append $mistakes (printf "decisions.tls.existingSecret is set, and decisions.tls.mode is %s" $v.decisions.tls.mode) -}}{{- end -}}

{{- /* What an upgrade does not find was lost: new keys would fit nothing that the old ones made. */ -}}
{{- if and .Release.IsUpgrade (not $v.secrets.replaceLost) -}}
{{- $kept := dict -}}
{{- if $v.secrets.generate -}}
{{- range $part, $keys := dict "stationKeys" (list "SECRETS_KEY" "STATION_PEPPERS") "jwt" (list "JWT_SIGNING_KEY") "pdf" (list "PDF_SIGNING_KEY" "PDF_SIGNING_CERT") -}}
{{- if not (index $v.secrets $part).existingSecret -}}{{- $_ := set $kept (include "dynamo.secretName" (list $ $part)) $keys -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if $v.trial.enabled -}}{{- $_ := set $kept (printf "%s-trial" $fullname) (list "POSTGRES_PASSWORD") -}}{{- end -}}
{{- range $name := keys $kept | sortAlpha -}}
{{- $found := (include "dynamo.found" (list $ $name) | fromYaml).data | default dict -}}
{{- range $key := get $kept $name -}}
{{- if not (get $found $key) -}}{{- $mistakes = append $mistakes (printf "Secret %s has no %s in the cluster, and another one would not do in its place: restore it (`helm get manifest %s` has it), or have new ones made by secrets.replaceLost=true. An upgrade that is only rendered must see the cluster: --dry-run=server" $name $key $.Release.Name) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The trial */ -}}
{{- if $v.trial.enabled -}}
{{- if $production -}}{{- $mistakes = append $mistakes "trial.enabled with environment=production: its servers keep nothing safe" -}}{{- end -}}
{{- range $part := list "postgres" "redis" -}}
{{- if gt (int (index $v.trial $part).replicas) 1 -}}{{- $mistakes = append $mistakes (printf "trial.%s.replicas: there is one of each; several would be several databases" $part) -}}{{- end -}}
{{- end -}}
{{- if ne $v.gateway.ack.durability "redis" -}}{{- $mistakes = append $mistakes (printf "gateway.ack.durability=%s: the trial's Redis has no replica and need not keep anything" $v.gateway.ack.durability) -}}{{- end -}}
{{- end -}}

{{- /* What an answer promises */ -}}
{{- $ack := $v.gateway.ack -}}
{{- if and (eq $ack.durability "replica") (lt (int $ack.replicas) 1) -}}{{- $mistakes = append $mistakes "gateway.ack.replicas: not set, and gateway.ack.durability is replica" -}}{{- end -}}
{{- if and (ne $ack.durability "replica") (gt (int $ack.replicas) 0) -}}{{- $mistakes = append $mistakes (printf "gateway.ack.replicas is set, and gateway.ack.durability is %s" $ack.durability) -}}{{- end -}}

{{- /* Listeners, and the way to them */ -}}
{{- $gw := $v.gateway -}}
{{- if not (or $gw.plain.enabled $gw.tls.enabled $gw.mtls.enabled) -}}{{- $mistakes = append $mistakes "gateway: no listener is enabled (plain, tls, mtls)" -}}{{- end -}}
{{- if and (or $gw.tls.enabled $gw.mtls.enabled) (not $gw.tls.existingSecret) -}}{{- $mistakes = append $mistakes "gateway.tls.existingSecret: TLS in the gateway wants a Secret with tls.crt and tls.key" -}}{{- end -}}
{{- if and $gw.mtls.enabled (not $gw.mtls.caSecret) -}}{{- $mistakes = append $mistakes "gateway.mtls.caSecret: mutual TLS wants the authorities of the charge points' certificates" -}}{{- end -}}
{{- $ports := list -}}
{{- range $listener := list $gw.plain $gw.tls $gw.mtls -}}{{- if $listener.enabled -}}{{- $ports = append $ports (int $listener.port) -}}{{- end -}}{{- end -}}
{{- if ne (len $ports) (len (uniq $ports)) -}}{{- $mistakes = append $mistakes "gateway: two listeners have the same port" -}}{{- end -}}
{{- if has 9100 $ports -}}{{- $mistakes = append $mistakes "gateway: port 9100 is that of probes and metrics" -}}{{- end -}}
{{- $byIngress := and $v.ingress.enabled $v.ingress.ocpp.enabled -}}
{{- $byRoute := and $v.httpRoute.enabled $v.httpRoute.ocpp -}}
{{- if or $byIngress $byRoute -}}
{{- if not $gw.plain.enabled -}}{{- $mistakes = append $mistakes "gateway.plain.enabled is false: an Ingress or HTTPRoute that ends TLS hands on to the plain listener" -}}{{- end -}}
{{- if and $production (not $v.trustedProxies) -}}{{- $mistakes = append $mistakes "trustedProxies: not set, and TLS ends in front of the gateways: charge points of security profile 2 would get 403, and all of them share one address" -}}{{- end -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.hosts.api) -}}{{- $mistakes = append $mistakes "ingress.enabled wants hosts.api" -}}{{- end -}}
{{- if and $byIngress (not $v.hosts.ocpp) -}}{{- $mistakes = append $mistakes "ingress.ocpp.enabled wants hosts.ocpp" -}}{{- end -}}
{{- if $v.httpRoute.enabled -}}
{{- if not $v.httpRoute.parentRefs -}}{{- $mistakes = append $mistakes "httpRoute.parentRefs: not set" -}}{{- end -}}
{{- if not $v.hosts.api -}}{{- $mistakes = append $mistakes "httpRoute.enabled wants hosts.api" -}}{{- end -}}
{{- if and $byRoute (not $v.hosts.ocpp) -}}{{- $mistakes = append $mistakes "httpRoute.ocpp wants hosts.ocpp" -}}{{- end -}}
{{- end -}}
{{- if and $v.hosts.api (eq $v.hosts.api $v.hosts.ocpp) (or $v.ingress.enabled $v.httpRoute.enabled) (not (or $byIngress $byRoute)) -}}{{- $mistakes = append $mistakes "hosts.api and hosts.ocpp are the same, and TLS of the one ends at the edge, of the other in the gateway: want two hosts" -}}{{- end -}}

{{- /* Stopping */ -}}
{{- $drain := include "dynamo.drainSeconds" . | int -}}
{{- $grace := include "dynamo.gatewayGraceSeconds" . | int -}}
{{- if gt $drain 600 -}}{{- $mistakes = append $mistakes (printf "gateway: closing %v connections at %v per second, and as long for commands before it, take %d s, more than the 600 s that a gateway allows: want a higher gateway.drain.closesPerSecond or more pods with fewer connections each" $gw.connectionsPerPod $gw.drain.closesPerSecond $drain) -}}{{- end -}}
{{- with $gw.terminationGracePeriodSeconds -}}
{{- if lt (int .) $grace -}}{{- $mistakes = append $mistakes (printf "gateway.terminationGracePeriodSeconds=%v is shorter than preStop, drain and sealing the lane together: want %d or more" . $grace) -}}{{- end -}}
{{- end -}}

{{- /* Scaling */ -}}
{{- range $name := list "gateway" "intake" -}}
{{- $scaling := (index $v $name).autoscaling -}}
{{- if and $scaling.enabled (gt (int $scaling.minReplicas) (int $scaling.maxReplicas)) -}}{{- $mistakes = append $mistakes (printf "%s.autoscaling: minReplicas is above maxReplicas" $name) -}}{{- end -}}
{{- if and $scaling.enabled (eq $v.autoscaling.provider "keda") (not $v.autoscaling.keda.prometheusUrl) -}}{{- $mistakes = append $mistakes (printf "autoscaling.keda.prometheusUrl: not set, and KEDA is to scale %s" $name) -}}{{- end -}}
{{- end -}}
{{- if and $gw.autoscaling.enabled (gt (int $gw.autoscaling.targetConnections) (int $gw.connectionsPerPod)) -}}{{- $mistakes = append $mistakes "gateway.autoscaling.targetConnections is above gateway.connectionsPerPod" -}}{{- end -}}
{{- if and $v.autoscaling.keda.prometheusUrl (ne $v.autoscaling.provider "keda") -}}{{- $mistakes = append $mistakes "autoscaling.keda.prometheusUrl is set, and autoscaling.provider is hpa: one of them scales, not both" -}}{{- end -}}

{{- /* Traces */ -}}
{{- if and $v.tracing.enabled (not $v.tracing.endpoint) -}}{{- $mistakes = append $mistakes "tracing.endpoint: not set, and tracing.enabled is true" -}}{{- end -}}
{{- if and $v.tracing.headers.existingSecret (not $v.tracing.enabled) -}}{{- $mistakes = append $mistakes "tracing.headers.existingSecret is set, and tracing.enabled is false" -}}{{- end -}}

{{- /* Variables that the chart sets from other values */ -}}
{{- $own := splitList "," (include "dynamo.ownVariables" .) -}}
{{- $parts := dict "config" $v.config "podDefaults.env" $v.podDefaults.env "podDefaults.secretFiles" $v.podDefaults.secretFiles -}}
{{- range $name := list "gateway" "api" "decisions" "intake" "jobs" "migrate" -}}
{{- $parts = merge $parts (dict (printf "%s.env" $name) ((index $v $name).env | default dict) (printf "%s.secretFiles" $name) ((index $v $name).secretFiles | default dict)) -}}
{{- end -}}
{{- range $where := keys $parts | sortAlpha -}}
{{- range $variable := keys (get $parts $where) | sortAlpha -}}
{{- if has (trimSuffix "_FILE" $variable) $own -}}{{- $mistakes = append $mistakes (printf "%s.%s: the chart sets it from other values" $where $variable) -}}{{- end -}}
{{- end -}}
{{- end -}}

{{- if $mistakes -}}
{{- fail (printf "\n\ndynamo-csms cannot be installed like this:\n- %s\n" (join "\n- " $mistakes)) -}}
{{- end -}}
{{- end -}}

{{- define "dynamo.ownVariables" -}}
NODE_ENV,NODE_EXTRA_CA_CERTS,NODE_ID,INTERNAL_HOST,INTERNAL_PORT,SHUTDOWN_DEADLINE_MS,DATABASE_URL,REDIS_URL,SECRETS_KEY,STATION_PEPPERS,JWT_SIGNING_KEY,JWT_PREVIOUS_KEYS,PDF_SIGNING_KEY,PDF_SIGNING_CERT,SMTP_URL,MAIL_FROM,PUBLIC_API_URL,PUBLIC_OCPP_URL,TRUSTED_PROXIES,GATEWAY_HOST,GATEWAY_PORT,GATEWAY_TLS_PORT,GATEWAY_MTLS_PORT,GATEWAY_TLS_CERT,GATEWAY_TLS_KEY,GATEWAY_MTLS_CA,DECISIONS_URL,DECISIONS_HOST,DECISIONS_PORT,DECISIONS_CA,DECISIONS_CERT,DECISIONS_KEY,API_HOST,API_PORT,ACK_DURABILITY,ACK_REPLICAS,DRAIN_DEADLINE_MS,DRAIN_CLOSES_PER_SECOND,WEBHOOK_PORTS,OTEL_TRACES_EXPORTER,OTEL_EXPORTER_OTLP_ENDPOINT,OTEL_EXPORTER_OTLP_HEADERS,OTEL_TRACES_SAMPLER,OTEL_TRACES_SAMPLER_ARG
{{- end -}}
