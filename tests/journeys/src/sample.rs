//! The repositories that journeys push.

use anyhow::Result;

use crate::forge::Clone;

/// What a journey's service should be like.
pub struct Sample<'a> {
    /// Name of the workload.
    pub name: &'a str,
    /// Namespace that it goes to.
    pub namespace: &'a str,
    /// Replicas.
    pub replicas: u32,
    /// Seconds before the readiness probe first looks.
    pub ready_after_s: u32,
    /// A step for the Dockerfile, after everything else.
    pub extra_step: &'a str,
}

/// The service's program: it answers with `message.txt` and logs each request.
const PROGRAM: &str = include_str!("../fixtures/server.pl");

impl Sample<'_> {
    /// The config file: about 25 lines, the talk's shape.
    pub fn config(&self) -> String {
        let Self {
            name,
            namespace,
            replicas,
            ready_after_s,
            ..
        } = self;
        format!(
            "apiVersion: pinterest.com/v1
kind: PinterestService
metadata:
  name: {name}
  project: journeys
  namespace: {namespace}
spec:
  loadbalancer:
    port: 8080
  replicas: {replicas}
  template:
    spec:
      containers:
        - name: {name}
          image: {name}
          ports:
            - containerPort: 8080
          readinessProbe:
            httpGet:
              path: /healthz
              port: 8080
            periodSeconds: 1
            initialDelaySeconds: {ready_after_s}
"
        )
    }

    /// The Dockerfile.
    pub fn dockerfile(&self) -> String {
        format!(
            "FROM debian:bookworm-slim\nCOPY server.pl /server.pl\nCOPY message.txt /message.txt\n{}\nEXPOSE 8080\nCMD [\"perl\", \"/server.pl\"]\n",
            self.extra_step
        )
    }

    /// Writes the whole repository into a clone.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, clone: &Clone, message: &str) -> Result<()> {
        clone.write("service.yaml", self.config())?;
        clone.write("Dockerfile", self.dockerfile())?;
        clone.write("server.pl", PROGRAM)?;
        clone.write("message.txt", message)?;
        Ok(())
    }
}
