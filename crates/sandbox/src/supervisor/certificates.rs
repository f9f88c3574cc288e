//! The cluster's own certificate authority and what it signs. Made once for a
//! data folder; private keys have mode 0600.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::network::{API_ADDRESS, NODE_ADDRESS};
use super::{Context, Error};
use crate::files;

/// The user and groups that a certificate stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The name of its files.
    pub(super) file: &'static str,
    pub(super) user: String,
    pub(super) group: Option<&'static str>,
}

/// Who talks to the API server, each with a kubeconfig of its own.
pub(super) fn clients(node: &str) -> Vec<Identity> {
    let mk = |file, user: &str, group| Identity {
        file,
        user: user.to_owned(),
        group,
    };
    vec![
        mk("admin", "hermez-admin", Some("system:masters")),
        mk(
            "kube-controller-manager",
            "system:kube-controller-manager",
            None,
        ),
        mk("kube-scheduler", "system:kube-scheduler", None),
        mk("kube-proxy", "system:kube-proxy", None),
        mk(
            "kubelet",
            &format!("system:node:{node}"),
            Some("system:nodes"),
        ),
        mk("coredns", "hermez:coredns", None),
        // What deploy/rbac.yaml lets it do, and no more.
        mk("hermez", "hermez", None),
        mk("load-balancer", "hermez:load-balancer", None),
    ]
}

/// Makes everything unless it is there.
pub(super) fn ensure(context: &Context) -> Result<(), Error> {
    // The authority's certificate is written last: it says that all is there.
    if context.layout.pki("ca.pem").exists() {
        return Ok(());
    }
    let node = &context.settings.name;
    let authority_key = KeyPair::generate()?;
    let mut params = named("hermez-sandbox", None)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    let authority = params.self_signed(&authority_key)?.pem();
    write(context, "ca.key", &authority_key.serialize_pem())?;
    let issuer = Issuer::new(params, authority_key);

    let sign = |file: &str, mut params: CertificateParams, usage| -> Result<(), Error> {
        params.extended_key_usages = vec![usage];
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        let key = KeyPair::generate()?;
        write(
            context,
            &format!("{file}.pem"),
            &params.signed_by(&key, &issuer)?.pem(),
        )?;
        write(context, &format!("{file}.key"), &key.serialize_pem())
    };
    for client in clients(node) {
        sign(
            client.file,
            named(&client.user, client.group)?,
            ExtendedKeyUsagePurpose::ClientAuth,
        )?;
    }
    let to_kubelet = named("hermez:api-server", Some("system:masters"))?;
    sign(
        "api-to-kubelet",
        to_kubelet,
        ExtendedKeyUsagePurpose::ClientAuth,
    )?;
    sign(
        "front-proxy",
        named("front-proxy", None)?,
        ExtendedKeyUsagePurpose::ClientAuth,
    )?;

    let mut api = named("kube-apiserver", None)?;
    api.subject_alt_names = addresses(&[Ipv4Addr::LOCALHOST, NODE_ADDRESS, API_ADDRESS]);
    for name in [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
    ] {
        api.subject_alt_names
            .push(SanType::DnsName(name.try_into()?));
    }
    api.subject_alt_names.push(SanType::DnsName(
        "kubernetes.default.svc.cluster.local".try_into()?,
    ));
    sign("api", api, ExtendedKeyUsagePurpose::ServerAuth)?;
    let mut kubelet = named(&format!("system:node:{node}"), Some("system:nodes"))?;
    kubelet.subject_alt_names = addresses(&[NODE_ADDRESS, Ipv4Addr::LOCALHOST]);
    kubelet
        .subject_alt_names
        .push(SanType::DnsName(node.as_str().try_into()?));
    sign(
        "kubelet-server",
        kubelet,
        ExtendedKeyUsagePurpose::ServerAuth,
    )?;

    let service_accounts = KeyPair::generate()?;
    write(
        context,
        "service-accounts.key",
        &service_accounts.serialize_pem(),
    )?;
    write(
        context,
        "service-accounts.pub",
        &service_accounts.public_key_pem(),
    )?;
    write(context, "ca.pem", &authority)
}

fn named(user: &str, group: Option<&str>) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        params
            .distinguished_name
            .push(DnType::OrganizationName, group);
    }
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn addresses(list: &[Ipv4Addr]) -> Vec<SanType> {
    list.iter()
        .map(|address| SanType::IpAddress(IpAddr::V4(*address)))
        .collect()
}

fn write(context: &Context, file: &str, pem: &str) -> Result<(), Error> {
    let path = context.layout.pki(file);
    files::write_private(&path, pem.as_bytes()).map_err(Error::io(path.display().to_string()))
}
