//! One key in the token: Ed25519, known by the SHA-256 of its public half, which is also its `CKA_ID`.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use passerelle_pki::key::{KeyError, KeyId, PublicKey, Signer};

use super::sessions::Seat;
use super::{Pkcs11Error, Token};

/// `CKA_EC_PARAMS` of Ed25519: the name of the curve as a PrintableString (PKCS#11 3.0, section 2.3.5).
const EDWARDS25519: &[u8] = b"\x13\x0cedwards25519";
/// `CKA_EC_POINT` is a DER OCTET STRING; some modules give the 32 bytes bare.
const POINT_PREFIX: [u8; 2] = [0x04, 0x20];
/// What is signed to see that a key works; nothing that the protocol would take for a statement.
const PROOF: &[u8] = b"passerelle-agent: does this key sign?";

/// A signing key that stays in its token.
#[derive(Debug)]
pub(super) struct TokenKey {
    token: Token,
    public: PublicKey,
}

impl TokenKey {
    /// Makes a key that cannot leave the token, and sees that it signs.
    pub(super) fn generate(token: &Token) -> Result<Self, Pkcs11Error> {
        let label = token.0.key_label.as_bytes();
        let public = token.0.sessions.with(|seat| generate(seat, label))?;
        let key = Self { token: token.clone(), public };
        key.prove()?;
        Ok(key)
    }

    /// The key of this id.
    pub(super) fn find(token: &Token, id: KeyId) -> Result<Self, Pkcs11Error> {
        let public = token.0.sessions.with(|seat| {
            private(seat, id)?;
            let object = object(seat, ObjectClass::PUBLIC_KEY, id)?.ok_or(Pkcs11Error::NoKey(id))?;
            point(seat, object)
        })?;
        match public.key_id() == id {
            true => Ok(Self { token: token.clone(), public }),
            false => Err(Pkcs11Error::NoKey(id)),
        }
    }

    /// Signs and verifies, away from the token.
    pub(super) fn prove(&self) -> Result<(), Pkcs11Error> {
        let signature = self.signature(PROOF)?;
        let unfit = Pkcs11Error::Unfit("sa signature est fausse / its signature is wrong");
        self.public.verify(PROOF, &signature).map_err(|_| unfit)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        let id = self.public.key_id();
        self.token.0.sessions.with(|seat| {
            let key = private(seat, id)?;
            let pure = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
            seat.session.sign(&pure, key, message).map_err(Pkcs11Error::Failed)
        })
    }
}

impl Signer for TokenKey {
    fn key_id(&self) -> KeyId {
        self.public.key_id()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.signature(message).map_err(|error| {
            tracing::error!(%error, "the token did not sign");
            KeyError::Unavailable("le jeton PKCS#11 n'a pas signé / the PKCS#11 token did not sign")
        })
    }

    fn spki_der(&self) -> &[u8] {
        self.public.spki_der()
    }
}

/// Destroys both halves. One that is not there is gone already.
pub(super) fn destroy(token: &Token, id: KeyId) -> Result<(), Pkcs11Error> {
    token.0.sessions.with(|seat| {
        seat.keys.remove(&id);
        for class in [ObjectClass::PRIVATE_KEY, ObjectClass::PUBLIC_KEY] {
            if let Some(object) = object(seat, class, id)? {
                seat.session.destroy_object(object).map_err(Pkcs11Error::Failed)?;
            }
        }
        Ok(())
    })
}

fn generate(seat: &mut Seat, label: &[u8]) -> Result<PublicKey, Pkcs11Error> {
    let public = [
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::Label(label.to_vec()),
        Attribute::EcParams(EDWARDS25519.to_vec()),
    ];
    let private = [
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        Attribute::Label(label.to_vec()),
    ];
    let made = seat.session.generate_key_pair(&Mechanism::EccEdwardsKeyPairGen, &public, &private);
    let (public, private) = made.map_err(Pkcs11Error::Failed)?;
    let named = name(seat, public, private);
    if named.is_err() {
        // Of no use to anyone; if it cannot go now, it is an uncertified key.
        for object in [private, public] {
            seat.session.destroy_object(object).ok();
        }
    }
    named
}

/// Gives a fresh pair its id, once it is seen that the private half stays where it is.
fn name(seat: &Seat, public: ObjectHandle, private: ObjectHandle) -> Result<PublicKey, Pkcs11Error> {
    let asked = [AttributeType::Sensitive, AttributeType::Extractable];
    let found = seat.session.get_attributes(private, &asked).map_err(Pkcs11Error::Failed)?;
    let sensitive = found.contains(&Attribute::Sensitive(true));
    if !sensitive || !found.contains(&Attribute::Extractable(false)) {
        return Err(Pkcs11Error::Unfit("la clé pourrait en sortir / the key could be taken out"));
    }
    let key = point(seat, public)?;
    let id = [Attribute::Id(key.key_id().as_bytes().to_vec())];
    for object in [private, public] {
        seat.session.update_attributes(object, &id).map_err(Pkcs11Error::Failed)?;
    }
    Ok(key)
}

fn point(seat: &Seat, object: ObjectHandle) -> Result<PublicKey, Pkcs11Error> {
    let found =
        seat.session.get_attributes(object, &[AttributeType::EcPoint]).map_err(Pkcs11Error::Failed)?;
    let point = found.into_iter().find_map(|attribute| match attribute {
        Attribute::EcPoint(point) => Some(point),
        _ => None,
    });
    let point = point.unwrap_or_default();
    let raw = if point.len() == 34 { point.strip_prefix(&POINT_PREFIX) } else { Some(&point[..]) };
    let raw = raw.and_then(|raw| <[u8; 32]>::try_from(raw).ok());
    raw.map(PublicKey::from_raw32).ok_or(Pkcs11Error::Unfit("clé publique inconnue / unknown public key"))
}

/// The private half, as this session knows it.
fn private(seat: &mut Seat, id: KeyId) -> Result<ObjectHandle, Pkcs11Error> {
    if let Some(handle) = seat.keys.get(&id) {
        return Ok(*handle);
    }
    let handle = object(seat, ObjectClass::PRIVATE_KEY, id)?.ok_or(Pkcs11Error::NoKey(id))?;
    seat.keys.insert(id, handle);
    Ok(handle)
}

fn object(seat: &Seat, class: ObjectClass, id: KeyId) -> Result<Option<ObjectHandle>, Pkcs11Error> {
    let template = [
        Attribute::Class(class),
        Attribute::KeyType(KeyType::EC_EDWARDS),
        Attribute::Id(id.as_bytes().to_vec()),
    ];
    let found = seat.session.find_objects(&template).map_err(Pkcs11Error::Failed)?;
    Ok(found.first().copied())
}
