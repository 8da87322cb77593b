//! How the library is linked: its functions mean each other. When it is loaded late, the names that it exports mean the C
//! library's functions to everybody who asks the loader, also to itself.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic-functions");
}
