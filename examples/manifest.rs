//! The manifest of a service for Kubernetes, written from the settings in force, so that probes, ports and
//! the grace of a stop agree with them. `kit/kubernetes/shop.yaml` is what it writes.
//!
//!     cargo run --example manifest > shop.yaml
//!     HEADCOUNT_DRAIN_TIMEOUT=2m cargo run --example manifest

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use headcount::{Builder, Headcount};

/// The settings of the service. Its `main` installs the same ones.
pub(crate) fn service() -> Builder {
    let everywhere = |port| SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    Headcount::builder()
        .service("shop")
        .admin(everywhere(7717))
        .token_file("/run/secrets/headcount/token")
        .health(everywhere(7718))
        // Until every load balancer has noticed that this instance is not ready any more.
        .announce_delay(Duration::from_secs(5))
        .drain_timeout(Duration::from_secs(30))
        .unresponsive_after(Duration::from_secs(20))
        // The application calls `set_ready()` once it listens.
        .ready(false)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // What changed a setting here must change it in the pods too.
    let ours = |(name, _): &(String, String)| name.starts_with("HEADCOUNT_") && !name.contains("TOKEN");
    let variables: Vec<_> = std::env::vars().filter(ours).collect();
    print!("{}", manifest(&service(), &variables)?);
    Ok(())
}

/// The manifest of a service with these settings and variables.
pub(crate) fn manifest(
    service: &Builder,
    variables: &[(String, String)],
) -> Result<String, Box<dyn std::error::Error>> {
    let settings = service.in_force()?;
    let exit_after = settings.exit_after.ok_or("exit_after is none: only the kill would end the process")?;
    // Half a second more is what the exit itself may take.
    let needed = (exit_after + Duration::from_millis(500)).as_secs_f64().ceil();
    let grace = settings.platform_grace.map_or(needed, |grace| grace.as_secs_f64().floor());
    if grace < needed {
        return Err(format!("platform_grace is {grace} s, but exit_after needs {needed} s").into());
    }
    let admin = settings.admin.ok_or("admin is none: there is nothing to scrape")?.port();
    let health = settings.health.ok_or("health is none: there is nothing to probe")?.port();
    let token = settings.token_file.ok_or("token_file is none: the admin server would not start")?;
    let secrets = token.parent().unwrap_or(Path::new("/")).display().to_string();
    let key = token.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let log = settings.termination_log.unwrap_or_default().display().to_string();
    let unready = Duration::from_secs(1).max(settings.announce_delay / 3).as_secs();
    let entry = |name: &str, text: &str| {
        format!("\n            - name: {name}\n              value: {}", quoted(text))
    };
    let others = variables.iter().filter(|(name, _)| name != "HEADCOUNT_PLATFORM_GRACE");
    let set: Vec<_> = others.map(|(name, text)| entry(name, text)).collect();
    Ok(TEMPLATE
        .replace("{grace}", &grace.to_string())
        .replace("{exit_after}", &format!("{}", exit_after.as_secs_f64()))
        .replace("{announce_delay}", &settings.announce_delay.as_secs_f64().to_string())
        .replace("{admin}", &admin.to_string())
        .replace("{health}", &health.to_string())
        .replace("{secrets}", &quoted(&secrets))
        .replace("{key}", &quoted(&key))
        .replace("{log}", &quoted(&log))
        .replace("{unready}", &unready.to_string())
        .replace("{variables}", &set.concat()))
}

/// A text of YAML, which JSON is too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

const TEMPLATE: &str = r#"# A service that uses headcount, with Prometheus' operator. Written by `cargo run --example manifest` from the
# settings of the service: change them there, and write it again. Replace `shop`, and the image.
apiVersion: v1
kind: Secret
metadata:
  name: shop-headcount
  labels: { app: shop }
# Without a token the service does not start. To make one:
#   kubectl create secret generic shop-headcount --from-literal=token="$(openssl rand -hex 32)"
stringData:
  {key}: ""
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels: { app: shop }
spec:
  replicas: 3
  selector:
    matchLabels: { app: shop }
  strategy:
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 }
  template:
    metadata:
      labels: { app: shop }
    spec:
      # The process ends itself {exit_after} s after SIGTERM, so that what was cut is in the log. There is no `preStop`:
      # for its first {announce_delay} s the service goes on as before, while `/readyz` answers 503.
      terminationGracePeriodSeconds: {grace}
      automountServiceAccountToken: false
      securityContext:
        runAsNonRoot: true
        seccompProfile: { type: RuntimeDefault }
      containers:
        - name: shop
          image: registry.example/shop:1
          ports:
            - { name: http, containerPort: 8000 }
            # The dashboard, the API and the metrics: with the token.
            - { name: admin, containerPort: {admin} }
            # `/livez` and `/readyz` alone, without a token and without names.
            - { name: health, containerPort: {health} }
          env:
            # `install` warns where `exit_after` does not fit into it.
            - name: HEADCOUNT_PLATFORM_GRACE
              value: {grace}s{variables}
          # Names, counts and ages of what was left: `kubectl describe pod` shows them.
          terminationMessagePath: {log}
          terminationMessagePolicy: File
          startupProbe:
            httpGet: { path: /readyz, port: health }
            periodSeconds: 1
            failureThreshold: 60
          # Not ready within the time that the service goes on after SIGTERM.
          readinessProbe:
            httpGet: { path: /readyz, port: health }
            periodSeconds: {unready}
            failureThreshold: 1
          # 503 once a runtime begins no task for `unresponsive_after`. A drain is alive.
          livenessProbe:
            httpGet: { path: /livez, port: health }
            periodSeconds: 10
            failureThreshold: 3
          volumeMounts:
            - { name: headcount, mountPath: {secrets}, readOnly: true }
          resources:
            requests: { cpu: 100m, memory: 64Mi }
            limits: { memory: 256Mi }
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL] }
      volumes:
        - name: headcount
          secret: { secretName: shop-headcount, defaultMode: 0440 }
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: shop
  labels: { app: shop }
spec:
  selector:
    matchLabels: { app: shop }
  podMetricsEndpoints:
    - port: admin
      path: /metrics
      interval: 15s
      # A pod that drains is running. One that has ended is not scraped.
      filterRunning: true
      authorization:
        credentials: { name: shop-headcount, key: {key} }
"#;
