//! Kubeconfigs: the administrator's at the top of the data folder, for people,
//! Hermez and tests; one for each component beside its certificate.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Context, Error, certificates};
use crate::files;

/// Writes all of them. The API server's port may differ from last time.
pub(super) fn write_all(context: &Context) -> Result<(), Error> {
    let encoded = |file: &str| -> Result<String, Error> {
        let path = context.layout.pki(file);
        Ok(STANDARD.encode(fs::read(&path).map_err(Error::io(path.display().to_string()))?))
    };
    let authority = encoded("ca.pem")?;
    for client in certificates::clients(&context.settings.name) {
        let text = render(
            &context.settings.name,
            context.settings.ports.api,
            &authority,
            &encoded(&format!("{}.pem", client.file))?,
            &encoded(&format!("{}.key", client.file))?,
        );
        let path = if client.file == "admin" {
            context.layout.kubeconfig()
        } else {
            context.layout.pki(&format!("{}.kubeconfig", client.file))
        };
        files::write_private(&path, text.as_bytes())
            .map_err(Error::io(path.display().to_string()))?;
    }
    Ok(())
}

fn render(name: &str, port: u16, authority: &str, certificate: &str, key: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: {name}
clusters:
  - name: {name}
    cluster:
      server: https://127.0.0.1:{port}
      certificate-authority-data: {authority}
users:
  - name: {name}
    user:
      client-certificate-data: {certificate}
      client-key-data: {key}
contexts:
  - name: {name}
    context:
      cluster: {name}
      user: {name}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_library_reads_it() {
        let text = render("hermez-local", 18_001, "Y2E=", "Y2VydA==", "a2V5");
        let config = kube::config::Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(config.current_context.as_deref(), Some("hermez-local"));
        let cluster = config.clusters[0].cluster.clone().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:18001"));
    }
}
