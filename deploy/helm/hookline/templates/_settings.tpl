{{- /* The settings that are no secrets, by their names, as a YAML mapping. */}}
{{- define "hookline.settings" -}}
{{- $runs := .Values.runs }}
{{- $store := .Values.objectStore }}
{{- $known := dict
  "url" .Values.url
  "listen.host" "0.0.0.0"
  "listen.port" "8080"
  "data" "/var/lib/hookline"
  "log_format" "json"
  "executor" "kubernetes"
  "object_store" $store.url
  "s3.region" $store.region
  "kubernetes.namespace" $runs.namespace
  "kubernetes.instance" (include "hookline.name" .)
  "kubernetes.agent_image" (include "hookline.image" .)
  "kubernetes.pull_policy" .Values.image.pullPolicy
  "kubernetes.service_account" $runs.serviceAccount
  "kubernetes.user" $runs.user
  "kubernetes.concurrency" $runs.concurrency
  "kubernetes.ahead" $runs.ahead
  "kubernetes.cpu" $runs.cpu
  "kubernetes.memory" (include "hookline.size" $runs.memory)
  "kubernetes.disk" (include "hookline.size" $runs.disk)
  "kubernetes.max_cpu" $runs.maxCpu
  "kubernetes.max_memory" (include "hookline.size" $runs.maxMemory)
  "kubernetes.max_disk" (include "hookline.size" $runs.maxDisk)
  "kubernetes.pull_secrets" (join "," $runs.pullSecrets)
  "kubernetes.default_image" $runs.defaultImage
  "kubernetes.runtime_class" $runs.runtimeClass
  "s3.endpoint" $store.endpoint
  "s3.pod_endpoint" $store.podEndpoint
}}
{{- if eq .Values.database.kind "sqlite" }}
  {{- $_ := set $known "database_url" "sqlite:////var/lib/hookline/hookline.db" }}
{{- end }}
{{- if $store.ca.configMap }}
  {{- $_ := set $known "s3.ca_file" (printf "/etc/hookline/ca/%s" $store.ca.key) }}
{{- end }}
{{- if .Values.tryOut.enabled }}
  {{- $_ := set $known "s3.endpoint" (printf "http://%s.%s.svc:9000" (include "hookline.minio" .) .Release.Namespace) }}
{{- end }}
{{- range $name, $value := merge (deepCopy .Values.settings) $known }}
{{- /* Helm reads every number as a float, and would write a large one as 1e+06. */}}
{{- $text := toString $value }}
{{- if and (kindIs "float64" $value) (eq (floor $value) $value) }}{{ $text = toString (int64 $value) }}{{ end }}
{{- if ne $text "" }}
{{ $name }}: {{ $text | quote }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The same as environment variables; after them those that come from Secrets. */}}
{{- define "hookline.environment" -}}
{{- range $name, $value := include "hookline.settings" . | fromYaml }}
- name: HOOKLINE_{{ $name | replace "." "__" | upper }}
  value: {{ $value | quote }}
{{- end }}
{{- $secrets := list (list "SECRET_KEY" .Values.sealing.secret .Values.sealing.key) }}
{{- if eq .Values.database.kind "postgresql" }}
  {{- $secrets = append $secrets (list "DATABASE_URL" .Values.database.secret .Values.database.key) }}
{{- end }}
{{- if .Values.objectStore.secret }}
  {{- $secrets = append $secrets (list "S3__ACCESS_KEY" .Values.objectStore.secret .Values.objectStore.accessKey) }}
  {{- $secrets = append $secrets (list "S3__SECRET_KEY" .Values.objectStore.secret .Values.objectStore.secretKey) }}
{{- end }}
{{- range $secrets }}
- name: HOOKLINE_{{ index . 0 }}
  valueFrom:
    secretKeyRef: {name: {{ index . 1 | quote }}, key: {{ index . 2 | quote }}}
{{- end }}
{{- end }}
