//! P-256 signatures over raw bytes, as GitHub, GitLab and deps.dev make them.
//!
//! The key comes as PEM of a SubjectPublicKeyInfo, the signature as base64 of ASN.1 DER: its two numbers are written
//! without leading zeros and have any length up to 33 bytes. Whatever is written otherwise is refused, never repaired.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject as _;

/// What stands before an uncompressed point of P-256: the algorithm, the curve, and how long the point is (RFC 5480).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// Longest DER of a P-256 signature: 2 + 2 × (2 + 33) bytes.
const LONGEST: usize = 72;

/// A public key of P-256; that its point lies on the curve is checked with every signature.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey([u8; 65]);

impl PublicKey {
    /// Reads a key in PEM.
    ///
    /// # Errors
    /// Text that is no PEM, a key of another kind or curve, and one whose point is compressed.
    pub fn from_pem(text: &str) -> Result<Self, &'static str> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map_err(|_| "it is no public key in PEM")?;
        let point = der.strip_prefix(&P256).ok_or("it is no key of the curve P-256")?;
        let point: [u8; 65] = point.try_into().map_err(|_| "its point is cut off")?;
        if point[0] != 4 {
            return Err("its point is written in a form that is not used");
        }
        Ok(Self(point))
    }

    /// Whether the signature, base64 of DER, was made over these bytes with this key.
    pub fn signed(&self, bytes: &[u8], signature: &str) -> bool {
        let Ok(der) = STANDARD.decode(signature) else {
            return false;
        };
        der.len() <= LONGEST
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.0)
                .verify(bytes, &der)
                .is_ok()
    }
}
