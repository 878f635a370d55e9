//! `passerelle-agent`.
