//! stub
pub fn page() -> crate::failure::Result<Vec<u8>> {
    Ok(Vec::new())
}
