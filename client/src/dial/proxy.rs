//! Which proxy, if any.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::{Host, Url};
use wharf_sdk::{Error, ErrorKind, Result};

use crate::target::Target;

/// A proxy that connections go through: HTTP (`CONNECT`) or SOCKS5. Names are resolved by it.
///
/// Its `Debug` does not show the credentials.
///
/// ```
/// use wharf_client::{Client, Proxy};
///
/// let client = Client::builder().proxy(Proxy::parse("socks5://user:pass@proxy.example:1080"));
/// # Ok::<(), wharf_sdk::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(super) kind: Kind,
    pub(super) host: Host<String>,
    pub(super) port: u16,
    /// User and password, decoded.
    pub(super) credentials: Option<(Vec<u8>, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Http,
    Socks5,
}

impl Proxy {
    /// Reads `http://…`, `socks5://…` or `socks5h://…`, with a user and password where the proxy
    /// wants them. Without a port, 80 and 1080.
    ///
    /// # Errors
    ///
    /// `WHARF_PROXY_URL` for anything else.
    pub fn parse(url: &str) -> Result<Self> {
        let url = Url::parse(url).map_err(|cause| {
            invalid("the proxy's address is not a URL; write it like http://proxy.example:3128")
                .with_source(cause)
        })?;
        let (kind, default_port) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            other => {
                return Err(invalid(format!(
                    "a proxy that is reached by {other}: cannot be used, only http: and socks5:"
                )));
            }
        };
        // Outside of the web's schemes, the parser takes hosts as they are.
        let host = url
            .host_str()
            .and_then(|host| Host::parse(host).ok())
            .ok_or_else(|| invalid("the proxy's address names no host"))?;
        let decoded = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
        let has_user = !url.username().is_empty() || url.password().is_some();
        let credentials = has_user.then(|| {
            let password = url.password().unwrap_or_default();
            (decoded(url.username()), decoded(password))
        });
        if let Some((user, password)) = &credentials {
            let fits = |part: &[u8]| kind == Kind::Http || (1..=255).contains(&part.len());
            if !fits(user) || !fits(password) {
                return Err(invalid(
                    "SOCKS5 takes users and passwords of 1 to 255 bytes only",
                ));
            }
            if kind == Kind::Http && user.contains(&b':') {
                return Err(invalid("a user's name cannot contain a colon"));
            }
        }
        Ok(Self {
            kind,
            host,
            port: url.port().unwrap_or(default_port),
            credentials,
        })
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .field("has_credentials", &self.credentials.is_some())
            .finish()
    }
}

/// Which connections go through which proxy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    pub(crate) plain: Option<Proxy>,
    pub(crate) secure: Option<Proxy>,
    /// Hosts, with the names below them, that are reached without.
    pub(crate) except: Vec<String>,
}

impl Proxies {
    pub(crate) fn always(proxy: Proxy) -> Self {
        Self {
            plain: Some(proxy.clone()),
            secure: Some(proxy),
            except: Vec::new(),
        }
    }

    pub(crate) fn choose(&self, target: &Target) -> Option<&Proxy> {
        let host = target.host.to_string();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_except = |except: &String| {
            except == "*"
                || host == except
                || host
                    .strip_suffix(except.as_str())
                    .is_some_and(|front| front.ends_with('.'))
        };
        if self.except.iter().any(is_except) {
            return None;
        }
        match target.is_secure {
            true => self.secure.as_ref(),
            false => self.plain.as_ref(),
        }
    }
}

/// What the environment says: `https_proxy` for `wss`, `http_proxy` for `ws`, `all_proxy` for
/// both, `no_proxy` for exceptions, in small letters before capitals. `HTTP_PROXY` is not read,
/// because in a CGI program it is the client's to set.
pub(crate) fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Proxies> {
    let read = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let either = |name: &str| read(name).or_else(|| read(&name.to_uppercase()));
    let proxy = |url: Option<String>| match url {
        // As other programs take it: a host alone is an HTTP proxy.
        Some(url) if !url.contains("://") => Proxy::parse(&format!("http://{url}")).map(Some),
        Some(url) => Proxy::parse(&url).map(Some),
        None => Ok(None),
    };
    let all = either("all_proxy");
    let except = either("no_proxy").unwrap_or_default();
    Ok(Proxies {
        plain: proxy(read("http_proxy").or_else(|| all.clone()))?,
        secure: proxy(either("https_proxy").or(all))?,
        except: except
            .split(',')
            .map(|host| host.trim().trim_start_matches("*.").trim_start_matches('.'))
            .filter(|host| !host.is_empty())
            .map(str::to_lowercase)
            .collect(),
    })
}

fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidInput, "WHARF_PROXY_URL", message)
}

pub(super) fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Io, "WHARF_PROXY", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies_are_read() {
        let proxy = Proxy::parse("socks5://us%65r:p%40ss@[::1]").expect("valid");
        assert_eq!((proxy.kind, proxy.port), (Kind::Socks5, 1080));
        assert_eq!(proxy.host.to_string(), "[::1]");
        assert_eq!(
            proxy.credentials,
            Some((b"user".to_vec(), b"p@ss".to_vec()))
        );
        assert!(!format!("{proxy:?}").contains("p@ss"));
        assert_eq!(Proxy::parse("http://proxy").expect("valid").port, 80);
        for wrong in [
            "",
            "proxy",
            "https://proxy",
            "socks4://proxy",
            "socks5://user@proxy",
            "http://a%3Ab@proxy",
        ] {
            let error = Proxy::parse(wrong).expect_err(wrong);
            assert_eq!(error.code(), "WHARF_PROXY_URL");
        }
    }

    #[test]
    fn the_environment_is_read_as_others_read_it() {
        let proxies = from_environment(|name| {
            Some(match name {
                "http_proxy" => "plain:3128".into(),
                "HTTPS_PROXY" => "http://secure".into(),
                "no_proxy" => "localhost, .internal.example,*.lan, ::1".into(),
                _ => return None,
            })
        })
        .expect("valid");
        let host_for = |url: &str| {
            let target = Target::parse(url).expect("valid");
            proxies.choose(&target).map(|proxy| proxy.host.to_string())
        };
        assert_eq!(host_for("ws://example.com").as_deref(), Some("plain"));
        assert_eq!(host_for("wss://example.com").as_deref(), Some("secure"));
        assert_eq!(host_for("wss://notlocalhost").as_deref(), Some("secure"));
        for near in [
            "localhost",
            "a.internal.example",
            "internal.example",
            "b.lan",
            "[::1]",
        ] {
            assert_eq!(host_for(&format!("wss://{near}/")), None, "{near}");
        }
        let capital = from_environment(|name| (name == "HTTP_PROXY").then(|| "evil".into()));
        assert_eq!(capital.expect("valid").plain, None);
        from_environment(|_| Some("ftp://x".into())).expect_err("no such proxy");
    }
}
