//! TLS settings whose certificate authorities are loaded by the first handshake (docs/adr/0002).

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use mcp_files::Policy;
use mcp_status::TlsFault;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, OtherError, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use super::certificate::Fields;
use super::trouble::{TAKEN, UntrustedCertificate, of_its_form};
use crate::error::{TransportError, TransportErrorKind};
use crate::options::{ClientIdentity, Material, Pem, TlsOptions, TrustFile};

/// The authorities of a system have about 250 KiB.
const MAX_CA_BYTES: u64 = 16 * 1024 * 1024;
/// Those of a system are about 150.
const MAX_CERTIFICATES: usize = 20_000;
/// A chain of ten has about 20 KiB.
const MAX_IDENTITY_BYTES: u64 = 1024 * 1024;

/// The files that were named for an endpoint: when one of them is another one, its next connection is made with that. Certificates of a
/// day are replaced while a session of a week goes on.
pub(super) fn files(tls: &TlsOptions) -> impl Iterator<Item = &Path> {
    let identity = tls.identity.as_ref().map(|identity| &identity.material);
    let identity = match identity {
        Some(Material::Files { certificate, key }) => [Some(certificate), Some(key)],
        _ => [None, None],
    };
    tls.trust.iter().map(|file| &*file.path).chain(identity.into_iter().flatten().map(|path| &**path))
}

/// A client configuration that trusts the platform's authorities and those of `extra`.
///
/// Reading the platform's authorities costs about 10 ms of CPU, and those of `extra` are often the same once more, so it waits
/// until a server shows its certificate: a client that only talks to loopback, or to no server at all, never pays for it.
///
/// # Errors
///
/// [`Misconfigured`](TransportErrorKind::Misconfigured) where there is no usable version of TLS, or `tls` cannot be used.
pub(super) fn client_config(extra: &[TrustFile], tls: &TlsOptions) -> Result<ClientConfig, TransportError> {
    client_config_with(extra, tls, |verifier| verifier)
}

/// The same, with what stands `around` its verifier.
pub(super) fn client_config_with(
    extra: &[TrustFile],
    tls: &TlsOptions,
    around: impl FnOnce(Arc<dyn ServerCertVerifier>) -> Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut named = Vec::new();
    // What was named for this server is not left out without a word: it would fail as if it had not been.
    for file in &tls.trust {
        named.extend(certificates(file)?);
    }
    let name = tls.server_name.as_ref().map(|name| server_name(name)).transpose()?;
    let verifier = Arc::new(LazyVerifier {
        provider: provider.clone(),
        takes_any_certificate: tls.takes_any_certificate,
        own: named,
        extra: extra.to_vec(),
        named: OnceLock::new(),
        name,
        loaded: OnceLock::new(),
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            TransportError::new(TransportErrorKind::Misconfigured, "no usable TLS version").with_source(error)
        })?
        .dangerous()
        .with_custom_certificate_verifier(around(verifier));
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let (certificates, key) = identity.read()?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(|error| identity.unusable(&mismatch(&error)))?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl TrustFile {
    /// Whether certificates can be read from it.
    ///
    /// # Errors
    ///
    /// [`Misconfigured`](TransportErrorKind::Misconfigured), with what named the file, its path, and what is wrong.
    pub fn check(&self) -> Result<(), TransportError> {
        // The first is enough: a system has hundreds, and each program that starts asks.
        certificates_at_most(self, 1).map(drop)
    }
}

fn misconfigured(message: String) -> TransportError {
    TransportError::new(TransportErrorKind::Misconfigured, message)
}

fn server_name(name: &str) -> Result<ServerName<'static>, TransportError> {
    ServerName::try_from(name.to_owned()).map_err(|_| {
        misconfigured(format!("`{}` is not a name that a certificate could have", mcp_text::line(name, 100)))
            .with_tls_setting(TlsFault::OtherName)
    })
}

/// Why a certificate and its key cannot be used together.
fn mismatch(error: &TlsError) -> String {
    match error {
        TlsError::InconsistentKeys(_) => "has a key that is not the one of its certificate".to_owned(),
        TlsError::InvalidCertificate(CertificateError::Other(other)) => of_its_form(other).to_owned(),
        // All that is said of a key.
        TlsError::General(_) => format!("has a key of a kind that cannot be used: {TAKEN}"),
        _ => "has a certificate or a key of a kind that is not supported".to_owned(),
    }
}

impl ClientIdentity {
    fn unusable(&self, what: &str) -> TransportError {
        misconfigured(format!("the client certificate of {} {what}", self.from))
            .with_tls_setting(TlsFault::ClientCertificate)
    }

    /// Security: neither path nor content of the key is told.
    fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TransportError> {
        let pem = match &self.material {
            Material::Files { certificate, key } => {
                let read = |path, what: &str| {
                    mcp_files::read(path, &Policy::surroundings(MAX_IDENTITY_BYTES))
                        .map_err(|error| self.unusable(&format!("cannot be read: its {what}: {error}")))
                };
                Pem::new(read(certificate, "certificate")?, read(key, "key")?)
            }
            Material::Source(source) => {
                let failed =
                    |error| self.unusable(&format!("cannot be obtained: {}", mcp_files::reason(&error)));
                source().map_err(failed)?
            }
        };
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.certificates).collect();
        let certificates = certificates.map_err(|_| self.unusable("is not valid PEM"))?;
        if certificates.is_empty() {
            return Err(self.unusable("holds no certificate"));
        }
        let key = PrivateKeyDer::from_pem_slice(&pem.key).map_err(|_| {
            let text = String::from_utf8_lossy(&pem.key);
            let is_one_file =
                matches!(&self.material, Material::Files { certificate, key } if certificate == key);
            self.unusable(match (text.contains("ENCRYPTED"), is_one_file) {
                (true, _) => "has a key with a passphrase; one without is needed",
                (false, true) => "holds no key, and no other file is named for one",
                (false, false) => "has no key in its key file",
            })
        })?;
        Ok((certificates, key))
    }
}

fn certificates(file: &TrustFile) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    certificates_at_most(file, MAX_CERTIFICATES)
}

/// The first `most` that can be read. One of many that cannot takes the others nothing; the verifier would take none then.
fn certificates_at_most(
    file: &TrustFile,
    most: usize,
) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let unusable = |what: &str| {
        let path = mcp_text::line(&file.path.display().to_string(), 200);
        misconfigured(format!("{} names {path}, which {what}", file.from))
            .with_tls_setting(TlsFault::UnknownAuthority)
    };
    let text = mcp_files::read(&file.path, &Policy::surroundings(MAX_CA_BYTES))
        .map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    let (mut readable, mut malformed, mut others) = (Vec::new(), false, false);
    for section in CertificateDer::pem_slice_iter(&text).take(MAX_CERTIFICATES) {
        match section {
            Ok(certificate) if RootCertStore::empty().add(certificate.clone()).is_ok() => {
                readable.push(certificate);
                if readable.len() == most {
                    break;
                }
            }
            Ok(_) => others = true,
            Err(_) => malformed = true,
        }
    }
    match readable.is_empty() {
        false => Ok(readable),
        true if others => Err(unusable("holds nothing that is a certificate (X.509) between its PEM lines")),
        true if malformed => Err(unusable("is not valid PEM")),
        // A SEQUENCE of more than 255 bytes (X.690): how every certificate begins that is not in PEM.
        true if text.starts_with(&[0x30, 0x82]) => {
            Err(unusable("is in DER, and PEM is read: `openssl x509 -inform der` converts it"))
        }
        true => Err(unusable("holds no certificate")),
    }
}

/// Whether the name of a certificate is this host.
fn is_of(own: &str, name: &ServerName<'_>) -> bool {
    match name {
        ServerName::DnsName(name) => own.eq_ignore_ascii_case(name.as_ref()),
        ServerName::IpAddress(address) => own.parse().is_ok_and(|own: IpAddr| own == IpAddr::from(*address)),
        _ => false,
    }
}

/// The platform's verifier, built when the first certificate has to be judged, and the certificates that a person named.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    /// A person said that every certificate will do. The peer still has to have its key, which the signatures show.
    takes_any_certificate: bool,
    own: Vec<CertificateDer<'static>>,
    /// What was named for all servers; often these are all the authorities of a system once more.
    extra: Vec<TrustFile>,
    named: OnceLock<Named>,
    /// The name that certificates have to have, in place of the host.
    name: Option<ServerName<'static>>,
    loaded: OnceLock<Result<Arc<dyn ServerCertVerifier>, TlsError>>,
}

/// What people named, for this server and for all of them.
#[derive(Debug)]
struct Named {
    certificates: Vec<CertificateDer<'static>>,
    /// What was named for all, and cannot be used.
    unusable: Vec<String>,
}

impl LazyVerifier {
    fn named(&self) -> &Named {
        self.named.get_or_init(|| {
            let mut named = Named { certificates: self.own.clone(), unusable: Vec::new() };
            for file in self.extra.iter().filter(|file| file.is_for_us) {
                match certificates(file) {
                    Ok(certificates) => named.certificates.extend(certificates),
                    // One extra that cannot be used is no reason not to reach the others.
                    Err(error) => named.unusable.push(error.to_string()),
                }
            }
            named
        })
    }

    fn loaded(&self) -> Result<&dyn ServerCertVerifier, TlsError> {
        let named = self.named().certificates.iter().cloned();
        let load = || match Verifier::new_with_extra_roots(named, self.provider.clone()) {
            Ok(verifier) => Ok(Arc::new(verifier) as Arc<dyn ServerCertVerifier>),
            Err(error) => self.without_the_platform().ok_or(error),
        };
        self.loaded.get_or_init(load).as_deref().map_err(Clone::clone)
    }

    /// Where the platform has no authorities, those that were named are all there are.
    fn without_the_platform(&self) -> Option<Arc<dyn ServerCertVerifier>> {
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(self.named().certificates.iter().cloned());
        let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), self.provider.clone());
        match added {
            0 => None,
            _ => Some(builder.build().ok()?),
        }
    }

    /// Judges a certificate that a person named: it needs no other certificate to vouch for it. Its name and its dates count.
    ///
    /// Certificates that are made with one command are their own authority, which no chain may end in for a server; curl,
    /// Node and Python accept them where they are named.
    fn judge_named(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<Result<ServerCertVerified, TlsError>> {
        let named = self.named().certificates.iter().any(|named| named == certificate);
        let fields = Fields::read(certificate).filter(|_| named)?;
        let bad = |error| Some(Err(TlsError::InvalidCertificate(error)));
        if !fields.has_begun(now) {
            return bad(CertificateError::NotValidYet);
        }
        if fields.has_ended(now) {
            return bad(CertificateError::Expired);
        }
        let parsed = ParsedCertificate::try_from(certificate);
        let right = parsed.and_then(|certificate| verify_server_name(&certificate, name));
        // No one else vouches for it, so no one else could have put another name there.
        let right = right.or_else(|error| match (fields.only_name(), &error) {
            (Some(only), _) if is_of(&only, name) => Ok(()),
            // Its form cannot be read; its one name can (X.509 version 1).
            (Some(only), TlsError::InvalidCertificate(CertificateError::Other(_))) => {
                let (expected, presented) = (name.to_owned(), vec![only]);
                Err(CertificateError::NotValidForNameContext { expected, presented }.into())
            }
            _ => Err(error),
        });
        Some(right.map(|()| ServerCertVerified::assertion()))
    }

    /// The files that are for other programs, and would vouch for a certificate.
    fn vouched_elsewhere(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Vec<String> {
        let vouches = |file: &&TrustFile| {
            let Ok(named) = certificates(file) else { return false };
            if named.iter().any(|named| named == certificate) {
                return true;
            }
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(named);
            let builder = WebPkiServerVerifier::builder_with_provider(roots.into(), self.provider.clone());
            let verifier = builder.build().ok();
            verifier
                .is_some_and(|it| it.verify_server_cert(certificate, intermediates, name, &[], now).is_ok())
        };
        let of_others = self.extra.iter().filter(|file| !file.is_for_us).filter(vouches);
        let told = of_others.map(|TrustFile { path, from, .. }| {
            let path = mcp_text::line(&path.display().to_string(), 200);
            format!("{from} names {path}, which vouches for it and is not read here: NODE_EXTRA_CA_CERTS is")
        });
        told.collect()
    }

    /// The same error, where it is that nothing vouches for the certificate, with what is known of that.
    fn explained(
        &self,
        error: TlsError,
        certificate: &CertificateDer<'_>,
        is_alone: bool,
        vouched_elsewhere: impl FnOnce() -> Vec<String>,
    ) -> TlsError {
        let untrusted = match &error {
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer) => true,
            // A certificate that is its own authority, given as that of a server, has no kind of its own there.
            TlsError::InvalidCertificate(CertificateError::Other(_)) => true,
            _ => false,
        };
        let self_signed = Fields::read(certificate).is_some_and(|fields| fields.is_self_signed());
        let is_other = matches!(&error, TlsError::InvalidCertificate(CertificateError::Other(_)));
        if !untrusted || (is_other && !self_signed) {
            return error;
        }
        let mut unusable = self.named().unusable.clone();
        unusable.extend(vouched_elsewhere());
        let why = UntrustedCertificate { self_signed, is_alone, unusable };
        TlsError::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(why))))
    }
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        if self.takes_any_certificate {
            return Ok(ServerCertVerified::assertion());
        }
        let server_name = self.name.as_ref().unwrap_or(server_name);
        if let Some(judged) = self.judge_named(end_entity, server_name, now) {
            return judged;
        }
        let verdict =
            self.loaded()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verdict.map_err(|error| {
            let elsewhere = || self.vouched_elsewhere(end_entity, intermediates, server_name, now);
            self.explained(error, end_entity, intermediates.is_empty(), elsewhere)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
