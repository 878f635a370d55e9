//! Helpers of the text formats: decimals and lines, read so that each value has one form only.

/// An unsigned decimal without sign, leading zeros or anything beside digits. `None` otherwise, or over `u64`.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Takes the first line off, without its newline. `None` when there is no newline.
pub(super) fn line(text: &str) -> Option<(&str, &str)> {
    text.split_once('\n')
}
