//! `passerelle-gateway`.
