//! Chat rooms with a web page: open <http://127.0.0.1:3000/> in two tabs.

use wharf::{Result, hub::Hub};

#[tokio::main]
async fn main() -> Result<()> {
    wharf_examples::serve(wharf_examples::chat(Hub::local())?).await
}
