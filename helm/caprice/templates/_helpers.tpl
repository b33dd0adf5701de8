{{- define "caprice.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimAll "-." -}}
{{- end -}}

{{- define "caprice.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimAll "-." -}}
{{- else if contains (include "caprice.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimAll "-." -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "caprice.name" .) | trunc 63 | trimAll "-." -}}
{{- end -}}
{{- end -}}

{{- /* Whatever is a name is quoted: 123, on and 1e3 are names too, and no texts to YAML. */ -}}
{{- define "caprice.selectorLabels" -}}
app.kubernetes.io/name: {{ include "caprice.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "caprice.labels" -}}
{{ include "caprice.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | trimAll "-_." | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimAll "-_." | quote }}
{{- end -}}

{{- /* The test's pod is not one of the Deployment's. */ -}}
{{- define "caprice.testLabels" -}}
app.kubernetes.io/name: {{ printf "%s-test" (include "caprice.name" . | trunc 58 | trimAll "-.") | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end -}}

{{- define "caprice.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- /* Which nodes take its pods. */ -}}
{{- define "caprice.placement" -}}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "caprice.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- /* A Service's name is a label of DNS: shorter than others, without dots, and no digit is its first. */ -}}
{{- define "caprice.serviceName" -}}
{{- regexReplaceAll "^([0-9])" (include "caprice.fullname" . | replace "." "-") "caprice-${1}" | trunc 55 | trimSuffix "-" }}-metrics
{{- end -}}

{{- define "caprice.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "caprice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- /* Not the account default: other pods of the namespace have it too. */ -}}
{{- with required "serviceAccount.create false wants serviceAccount.name, the account that Caprice is to have" .Values.serviceAccount.name -}}
{{- if eq . "default" }}{{ fail "serviceAccount.name default is the account of other pods of the namespace too: want one that Caprice alone has" }}{{ end -}}
{{- . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "caprice.image" -}}
{{ .Values.image.repository }}{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ default (.Chart.AppVersion | replace "+" "-") .Values.image.tag }}{{ end }}
{{- end -}}

{{- /* The Secret that says who is notified; empty: nobody is. */ -}}
{{- define "caprice.notifications" -}}
{{- with .Values.notifications -}}
{{- if and .existingSecret .config }}{{ fail "set either notifications.existingSecret or notifications.config, not both" }}{{ end -}}
{{- if .config }}{{ include "caprice.fullname" $ }}-notifications{{ else }}{{ default "" .existingSecret }}{{ end -}}
{{- end -}}
{{- end -}}

{{- /* Whether the configuration has pods evicted; empty: it has them deleted. */ -}}
{{- define "caprice.evicts" -}}
{{- if or (eq (default "" .Values.config.METHOD) "evict") (eq (default "" .Values.config.KILL_MODE) "pdb") }}true{{ end -}}
{{- end -}}

{{- /* Whether Caprice's account may evict; empty: it may not. */ -}}
{{- define "caprice.mayEvict" -}}
{{- $asked := toString .Values.rbac.evict }}
{{- if or (eq $asked "true") (and (include "caprice.evicts" .) (eq $asked "auto")) }}true{{ end -}}
{{- end -}}

{{- /* What Caprice needs in every namespace it acts in: to find workloads, to find their pods, to kill those, to say and
     record so, and to ask what hypotheses ask. */ -}}
{{- define "caprice.rules" -}}
- apiGroups: [apps]
  resources: [deployments, statefulsets, daemonsets]
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [replicasets]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, delete]
{{- if include "caprice.mayEvict" . }}
- apiGroups: [""]
  resources: [pods/eviction]
  verbs: [create]
{{- else if include "caprice.evicts" . }}
{{- fail "config.METHOD evict and config.KILL_MODE pdb want rbac.evict auto or true" }}
{{- end }}
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
- apiGroups: [caprice.chaos]
  resources: [kills]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [caprice.chaos]
  resources: [kills/status]
  verbs: [patch]
- apiGroups: [caprice.chaos]
  resources: [hypotheses]
  verbs: [list, watch]
- apiGroups: [caprice.chaos]
  resources: [hypotheses/status]
  verbs: [patch]
{{- range (.Values.hypotheses).kinds }}
- apiGroups: [{{ .group | quote }}]
  resources: {{ toJson .resources }}
  verbs: [get]
{{- end }}
{{ include "caprice.haltRule" . }}
{{- end -}}

{{- /* Whether what is said of an object beside its spec, which its schema bounds, is little: CEL. Numbers come before sizes: what
     is too much to be evaluated is let through. The API server notes the fields of each who applies. What is being deleted may
     lose its finalizers, however large it is. It is given how many bytes annotations may take, in which 'kubectl apply' keeps all. */ -}}
{{- define "caprice.slim" -}}
has(object.metadata.deletionTimestamp)
|| object.metadata.?annotations.orValue({}).size() <= 100 && object.metadata.?annotations.orValue({}).map(k, k + object.metadata.annotations[k]).join('').size() <= {{ . }}
&& object.metadata.?labels.orValue({}).size() <= 100 && object.metadata.?labels.orValue({}).map(k, k + object.metadata.labels[k]).join('').size() <= 8192
&& object.metadata.?finalizers.orValue([]).size() <= 100 && object.metadata.?ownerReferences.orValue([]).size() <= 100
&& (object.metadata.?finalizers.orValue([]) + object.metadata.?ownerReferences.orValue([]).map(o, o.apiVersion + o.kind + o.name + o.uid)).join('').size() <= 8192
&& object.metadata.?managedFields.orValue([]).size() <= 20
{{- end -}}

{{- define "caprice.slimMessage" -}}
annotations, labels, and finalizers and owners: want no more than {{ div . 1024 }} KiB of annotations, 8 KiB of the others, 100 of each, and 20 managers of fields
{{- end -}}

{{- /* Halts hold in their namespace; those that have expired are cleaned up. */ -}}
{{- define "caprice.haltRule" -}}
- apiGroups: [caprice.chaos]
  resources: [halts]
  verbs: [list, delete]
{{- end -}}

{{- /* Its claim to each namespace it acts in, which keeps another Caprice from acting there. Creation cannot be limited to a
     name. */ -}}
{{- define "caprice.claimRule" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [caprice-claim]
  verbs: [{{ . }}, update]
{{- end -}}

{{- /* Globs as one regular expression. */ -}}
{{- define "caprice.expression" -}}
{{- $globs := list -}}
{{- range . }}{{ if trim . }}{{ $globs = append $globs (trim .) }}{{ end }}{{ end -}}
{{- $globs | uniq | join "|" | replace "*" ".*" | replace "?" "." -}}
{{- end -}}

{{- /* How many seconds a duration has, or working days what is in days. */ -}}
{{- define "caprice.amount" -}}
{{- $units := dict "ns" 1e-9 "us" 1e-6 "µs" 1e-6 "μs" 1e-6 "ms" 1e-3 "s" 1 "m" 60 "h" 3600 "d" 1 -}}
{{- $sum := 0.0 -}}
{{- range regexFindAll "[0-9.]+[a-zµμ]+" . -1 -}}
{{- $sum = addf $sum (mulf (regexFind "[0-9.]+" .) (get $units (regexFind "[a-zµμ]+" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{- /* The namespaces that are excluded, as one regular expression of their globs. */ -}}
{{- define "caprice.excluded" -}}
{{- include "caprice.expression" (concat (list "kube-*" .Release.Namespace) (splitList "," (default "" .Values.config.EXCLUDED_NAMESPACES))) -}}
{{- end -}}
