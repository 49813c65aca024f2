//! Addresses to listen on: `ADDR:PORT`.

use std::net::{IpAddr, SocketAddr};

use crate::fault::SyntaxError;

/// Reads the address of a listen grant: an IP address and a port, `127.0.0.1:8080` or `[::1]:8080`. Port 0 stands for any
/// free one.
pub fn parse_listen(text: &str) -> Result<SocketAddr, SyntaxError> {
    text.parse().map_err(|_| {
        let port = text.rsplit(':').next().filter(|port| port.parse::<u16>().is_ok()).unwrap_or("8080");
        let bare: Option<IpAddr> = text.parse().ok();
        let hint = match (bare, text.split_once("://"), text.strip_suffix(&format!(":{port}"))) {
            (Some(address), ..) => format!("add a port: `{}`", SocketAddr::new(address, 8080)),
            (_, Some((_, address)), _) => format!("write `{address}` alone: the grant is for TCP and UDP"),
            (.., Some("" | "*")) => {
                format!("write `0.0.0.0:{port}` for every IPv4 address, `[::]:{port}` for every IPv6 address")
            }
            (.., Some("localhost")) => format!("write `127.0.0.1:{port}` or `[::1]:{port}`"),
            _ => "write it like `127.0.0.1:8080` or `[::1]:8080`".to_owned(),
        };
        SyntaxError::new(format!("{text:?} is not an IP address with a port")).hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_needs_a_port() {
        for text in ["127.0.0.1:8080", "[::1]:0", "0.0.0.0:65535"] {
            assert_eq!(parse_listen(text).unwrap().to_string(), text);
        }
        let hint = |text| parse_listen(text).unwrap_err().hint.unwrap();
        assert_eq!(hint("::1"), "add a port: `[::1]:8080`");
        assert_eq!(hint("tcp://[::1]:80"), "write `[::1]:80` alone: the grant is for TCP and UDP");
        assert_eq!(hint(":80"), "write `0.0.0.0:80` for every IPv4 address, `[::]:80` for every IPv6 address");
        assert_eq!(hint("localhost:80"), "write `127.0.0.1:80` or `[::1]:80`");
        assert_eq!(hint("example.com"), "write it like `127.0.0.1:8080` or `[::1]:8080`");
    }
}
