use super::*;

#[test]
fn fa_a91_an_authority_file_that_cannot_be_used_is_named_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let absent = dir.path().join("absent.pem");
    let check = |path: &std::path::Path| {
        let file = TrustFile::new(path, "NODE_EXTRA_CA_CERTS");
        assert!(client_config(std::slice::from_ref(&file), &TlsOptions::new()).is_ok());
        file.check().unwrap_err().to_string()
    };
    let report = check(&absent);
    assert!(
        report.starts_with("NODE_EXTRA_CA_CERTS names ")
            && report.contains("absent.pem, which cannot be read"),
        "{report}"
    );
    if cfg!(unix) {
        let report = check(std::path::Path::new("/dev/zero"));
        assert!(report.ends_with("cannot be read: it is a device, not a regular file"), "{report}");
    }
    let empty = dir.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here\n").unwrap();
    assert!(check(&empty).ends_with("which holds no certificate"));
    std::fs::write(&empty, "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n").unwrap();
    assert!(check(&empty).ends_with("which is not valid PEM"));
    std::fs::write(&empty, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    assert!(check(&empty).contains("nothing that is a certificate"));
    std::fs::write(&empty, b"\x30\x82\x01\x02der").unwrap();
    assert!(check(&empty).contains("is in DER"));
    assert!(!check(&absent).contains("os error"));
}

/// Made with one command that adds no extension: its form is not read, and a person who named it trusts it for its name.
#[test]
fn a_named_certificate_of_version_1_is_for_its_one_name() {
    let path =
        [env!("CARGO_MANIFEST_DIR"), "tests/it/tls/version-1.pem"].iter().collect::<std::path::PathBuf>();
    let own = vec![CertificateDer::from_pem_file(path).unwrap()];
    let verifier = LazyVerifier {
        provider: Arc::new(rustls::crypto::ring::default_provider()),
        takes_any_certificate: false,
        own: own.clone(),
        extra: Vec::new(),
        named: OnceLock::new(),
        name: None,
        loaded: OnceLock::new(),
    };
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_900_000_000));
    let judged = |host: &'static str| {
        verifier.judge_named(&own[0], &ServerName::try_from(host).unwrap(), now).unwrap().map(drop)
    };
    assert_eq!(judged("localhost"), Ok(()));
    let error = judged("mcp.test").unwrap_err();
    let words = super::super::trouble::words(&error).unwrap();
    assert_eq!(words, "the certificate of the server is for localhost, not for mcp.test");
}

#[test]
fn what_is_damaged_in_a_bundle_takes_nothing_from_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let good =
        [env!("CARGO_MANIFEST_DIR"), "tests/it/tls/authority.pem"].iter().collect::<std::path::PathBuf>();
    let good = std::fs::read_to_string(good).unwrap();
    let damaged = "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n";
    let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let path = dir.path().join("bundle.pem");
    for (text, expected) in [
        (format!("{damaged}{other}{good}"), 1),
        (format!("{good}{damaged}{good}{other}"), 2),
        (format!("# words\n{good}-----BEGIN CERTIFICATE-----\n"), 1),
    ] {
        std::fs::write(&path, &text).unwrap();
        let file = TrustFile::new(&path, "SSL_CERT_FILE");
        assert_eq!(certificates(&file).unwrap().len(), expected, "{text}");
        file.check().unwrap();
    }
}

#[test]
fn building_a_configuration_loads_no_authority() {
    let dir = tempfile::tempdir().unwrap();
    let absent = TrustFile::new(dir.path().join("absent.pem"), "NODE_EXTRA_CA_CERTS");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = LazyVerifier {
        provider,
        takes_any_certificate: false,
        own: Vec::new(),
        extra: vec![absent],
        named: OnceLock::new(),
        name: None,
        loaded: OnceLock::new(),
    };
    assert!(!verifier.supported_verify_schemes().is_empty());
    assert!(verifier.loaded.get().is_none() && verifier.named.get().is_none());
    assert_eq!(verifier.named().unusable.len(), 1);
}
