//! `passerelle-verify`.
