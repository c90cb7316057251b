#!/bin/sh
# One canary, forth and back, on the cluster that KUBECONFIG names: it needs Istio's CRDs, leave to
# make and delete a namespace, and an image that can be pulled and runs (AIRIS_IMAGES: two of them).
# Lost requests, failures of pods and faults cannot be tested there: that needs kubelab's modelled
# pods, mesh and clients. Usage: test-kubeconfig.sh BUILD
set -eu
build=$(realpath "$1")
images=${AIRIS_IMAGES:-registry.k8s.io/pause:3.9 registry.k8s.io/pause:3.10}
old=${images%% *} new=${images#* }
namespace=airis-test-$$
folder=$(mktemp -d)
daemon=
finish() {
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
	kubectl delete namespace "$namespace" --wait=false >/dev/null 2>&1 || true
	rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM
say() { echo "any cluster: $*"; }

if ! command -v kubectl >/dev/null; then
	say "kubectl is not installed: nothing can be tested"
	exit 1
fi
say "lost requests, failing pods and faults are not tested here: they need kubelab"
kubectl create namespace "$namespace" >/dev/null
kubectl apply -n "$namespace" -f - >/dev/null <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "$old"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web}
spec: {hosts: [web], http: [{route: [{destination: {host: web}}]}]}
Y
kubectl rollout status -n "$namespace" deployment/web --timeout=120s >/dev/null
cat >"$folder/airisd.yaml" <<Y
listen: {socket: $folder/airisd.sock}
store: {path: $folder/airis.db}
mesh: {settle: 2s}
clusters: [{name: default, exec: true, lease: {namespace: $namespace}}]
Y
"$build/airisd" --config "$folder/airisd.yaml" 2>"$folder/log" &
daemon=$!
ctl() { "$build/airisctl" --server "unix:$folder/airisd.sock" "$@"; }
for _ in 1 2 3 4 5 6 7 8 9 10; do
	[ -S "$folder/airisd.sock" ] && break
	sleep 0.5
done
ctl app apply -f - <<Y
kind: App
name: web
namespace: $namespace
workload: {kind: Deployment, name: web}
traffic: {istio: {virtualService: web}}
strategy: {canary: {weights: [50, 100], hold: 1s, drain: 1s, deadline: 2m}}
Y
before=$(kubectl get -n "$namespace" virtualservice web -o 'jsonpath={.spec}')
ctl rollout start web --image "$new" --wait --timeout 5m
image=$(kubectl get -n "$namespace" deployment web \
	-o 'jsonpath={.spec.template.spec.containers[0].image}')
after=$(kubectl get -n "$namespace" virtualservice web -o 'jsonpath={.spec}')
left=$(kubectl get -n "$namespace" deployments,services -o name | grep -c canary || true)
[ "$image" = "$new" ] && [ "$after" = "$before" ] && [ "$left" -eq 0 ] ||
	{ say "image $image, VirtualService $after, $left things left over"; exit 1; }
ctl rollout start web --image "$old" --wait=stage:1 --timeout 5m
ctl rollout abort web --wait=succeeded --timeout 5m || [ $? -eq 3 ]
image=$(kubectl get -n "$namespace" deployment web \
	-o 'jsonpath={.spec.template.spec.containers[0].image}')
[ "$image" = "$new" ] || { say "after the abort the image is $image"; exit 1; }
say "a canary succeeded, another was aborted and went home"
