//! `passerelle-pki`.
