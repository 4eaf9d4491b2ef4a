{{- define "hookline.name" -}}
{{- if contains "hookline" .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-hookline" .Release.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "hookline.selector" -}}
app.kubernetes.io/name: hookline
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hookline.labels" -}}
{{ include "hookline.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "hookline.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "hookline.minio" -}}
{{ include "hookline.name" . }}-try-out
{{- end }}

{{- /* A size as Hookline writes it: Kubernetes says Mi, Hookline MiB. */}}
{{- define "hookline.size" -}}
{{ regexReplaceAll "^([0-9]+)([KMGT]i)$" (toString .) "${1}${2}B" }}
{{- end }}
