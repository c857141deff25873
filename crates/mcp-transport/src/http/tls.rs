//! TLS settings whose certificate authorities are loaded by the first handshake (docs/adr/0002).

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use mcp_files::Policy;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::{TransportError, TransportErrorKind};

/// The authorities of a system have about 250 KiB.
const MAX_CA_BYTES: u64 = 16 * 1024 * 1024;

/// A client configuration that trusts the platform's authorities and those of `extra_ca_files`.
///
/// Reading the platform's authorities costs about 10 ms of CPU, so it waits until a server shows its
/// certificate: a client that only talks to loopback, or to no server at all, never pays for it.
///
/// # Errors
///
/// [`Misconfigured`](TransportErrorKind::Misconfigured) where an extra file cannot be read or holds no certificate.
pub(super) fn client_config(extra_ca_files: &[PathBuf]) -> Result<ClientConfig, TransportError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut extra = Vec::new();
    for file in extra_ca_files {
        let before = extra.len();
        let misconfigured = |what: &str| {
            let message = format!("the certificate authority file {} {what}", file.display());
            TransportError::new(TransportErrorKind::Misconfigured, message)
        };
        let text = mcp_files::read(file, &Policy::surroundings(MAX_CA_BYTES))
            .map_err(|e| misconfigured(&format!("cannot be read: {e}")).with_source(e))?;
        for certificate in CertificateDer::pem_slice_iter(&text) {
            extra.push(certificate.map_err(|e| misconfigured("is not valid PEM").with_source(e))?);
        }
        if extra.len() == before {
            return Err(misconfigured("holds no certificate"));
        }
    }
    let verifier = LazyVerifier { provider: provider.clone(), extra, loaded: OnceLock::new() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| {
            TransportError::new(TransportErrorKind::Misconfigured, "no usable TLS version").with_source(error)
        })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The platform's verifier, built when the first certificate has to be judged.
#[derive(Debug)]
struct LazyVerifier {
    provider: Arc<CryptoProvider>,
    extra: Vec<CertificateDer<'static>>,
    loaded: OnceLock<Result<Verifier, TlsError>>,
}

impl LazyVerifier {
    fn loaded(&self) -> Result<&Verifier, TlsError> {
        self.loaded
            .get_or_init(|| Verifier::new_with_extra_roots(self.extra.iter().cloned(), self.provider.clone()))
            .as_ref()
            .map_err(Clone::clone)
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
        self.loaded()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
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
mod tests {
    use super::*;

    #[test]
    fn an_authority_file_that_cannot_be_used_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let absent = dir.path().join("absent.pem");
        let error = client_config(std::slice::from_ref(&absent)).unwrap_err();
        assert_eq!(*error.kind(), TransportErrorKind::Misconfigured);
        assert!(error.to_string().contains("absent.pem"), "{error}");

        let device = client_config(&[PathBuf::from("/dev/zero")]);
        if cfg!(unix) {
            assert!(
                device
                    .unwrap_err()
                    .to_string()
                    .ends_with("cannot be read: it is a device, not a regular file")
            );
        }

        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "no certificate here\n").unwrap();
        let error = client_config(&[empty]).unwrap_err();
        assert!(error.to_string().contains("holds no certificate"), "{error}");
    }

    #[test]
    fn building_a_configuration_loads_no_authority() {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = LazyVerifier { provider, extra: Vec::new(), loaded: OnceLock::new() };
        assert!(!verifier.supported_verify_schemes().is_empty());
        assert!(verifier.loaded.get().is_none());
    }
}
