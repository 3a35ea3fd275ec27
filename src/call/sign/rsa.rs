//! RSA keys in PEM: the private half signs, the public half is what a certificate must hold.

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::call::CallError;

/// The key in a text; in a JSON file its lines are divided by a written `\n`.
fn key(text: &str) -> Result<RsaKeyPair, CallError> {
    let none = || CallError::Invalid("its key is no RSA private key in PEM: give the whole of it".to_owned());
    let text = Zeroizing::new(text.replace("\\\\n", "\n").replace("\\n", "\n"));
    match PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| none())? {
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        _ => return Err(none()),
    }
    .map_err(|_| none())
}

/// The signature of a text (RSASSA-PKCS1-v1_5 with SHA-256).
///
/// # Errors
/// A text that is no RSA key.
pub(super) fn sign(key_text: &str, text: &str) -> Result<Vec<u8>, CallError> {
    let key = key(key_text)?;
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .map_err(|_| CallError::Invalid("its key does not sign".to_owned()))?;
    Ok(signature)
}

/// The public half of a private key, as PKCS #1 writes it; nothing, if it is no RSA key.
pub(in crate::call) fn public_key(text: &str) -> Option<Vec<u8>> {
    Some(key(text).ok()?.public().as_ref().to_vec())
}

/// Whether a certificate in PEM is of this public key. A certificate holds the key as PKCS #1 writes it, whole: its
/// modulus of 2,048 bits or more stands nowhere by chance.
pub(in crate::call) fn certificate_holds(certificate: &str, public: &[u8]) -> bool {
    CertificateDer::from_pem_slice(certificate.as_bytes())
        .is_ok_and(|der| !public.is_empty() && memchr::memmem::find(&der, public).is_some())
}
