use super::*;
use crate::discovery::Directory;
use crate::http1::Limits;
use crate::name::{Dtab, Path};
use crate::signal::Signal;
use rand::SeedableRng;
use rand::rngs::SmallRng;

fn router(dtab: &str) -> Router {
    let (_, mut watchers) = Directory::new(&[Arc::<Signal>::default()]);
    let params = RouterParams {
        label: "in".to_owned(),
        dtab: Dtab::parse(dtab).unwrap(),
        dst_prefix: Path::parse("/svc").unwrap(),
        servers: Vec::new(),
        binding_timeout: Duration::from_secs(10),
        limits: Limits::default(),
    };
    Router::new(params, Rc::new(watchers.pop().unwrap()), Arc::default())
}

fn at(seconds: u64) -> Monotonic {
    Monotonic::from_nanos(seconds * 1_000_000_000)
}

fn leaf(router: &Router, token: &str, now: Monotonic) -> Result<Rc<Leaf>, Fault> {
    let service = router.service(token.as_bytes(), now);
    service.pick(&mut SmallRng::seed_from_u64(1), || router.explain_dtab()).map(Rc::clone)
}

#[test]
fn a_name_is_bound_once_for_all_its_requests() {
    let router = router("/svc => /$/inet/127.1/80");
    let service = router.service(b"web", at(0));
    assert_eq!(service.name(), "/svc/web");
    assert!(Rc::ptr_eq(&service, &router.service(b"web", at(1))));
    assert!(!Rc::ptr_eq(&service, &router.service(b"Web", at(1))));
}

#[test]
fn services_that_are_bound_to_the_same_id_share_a_client_and_keep_their_residuals() {
    let router = router("/svc => /$/inet/127.1/80; /svc/other => /$/inet/127.1/81");
    let [web, api, other] = ["web", "api", "other"].map(|token| leaf(&router, token, at(0)).unwrap());
    assert!(Rc::ptr_eq(web.client(), api.client()));
    assert!(!Rc::ptr_eq(web.client(), other.client()));
    assert_eq!([web.residual(), api.residual(), other.residual()], ["/web", "/api", "/"]);
    assert_eq!(web.client().id(), "/$/inet/127.1/80");
}

#[test]
fn a_token_with_any_bytes_stays_one_label() {
    let router = router("/svc => /$/inet/127.1/80; /svc/a => /$/inet/127.1/81");
    let token = b"a/../\xff";
    assert_eq!(router.service(token, at(0)).name(), r"/svc/\x61\x2f\x2e\x2e\x2f\xff");
    assert_eq!(leaf(&router, "a/b", at(0)).unwrap().client().id(), "/$/inet/127.1/80");
}

#[test]
fn names_are_bounded_whatever_callers_ask_for() {
    let router = router("/svc => /$/inet/127.1/80");
    for second in 0..2 * MAX_SERVICES {
        router.service(format!("name-{second}").as_bytes(), at(second as u64));
        assert!(router.services.len() <= MAX_SERVICES);
    }
    assert_eq!(router.services.len(), MAX_SERVICES);
    assert_eq!(router.clients.borrow().len(), 1);
}

#[test]
fn what_nobody_uses_is_given_up_and_bound_anew() {
    let router = router("/svc => /$/inet");
    let held = leaf(&router, "80", at(0)).unwrap();
    leaf(&router, "81", at(0)).unwrap();
    router.expire(at(0).plus(SERVICE_IDLE_TIME));
    assert_eq!(router.clients.borrow().len(), 2);
    router.expire(at(1).plus(SERVICE_IDLE_TIME));
    assert!(router.services.is_empty());
    assert_eq!(router.clients.borrow().keys().collect::<Vec<_>>(), ["/$/inet/80"]);
    let again = leaf(&router, "80", at(2).plus(SERVICE_IDLE_TIME)).unwrap();
    assert!(Rc::ptr_eq(held.client(), again.client()), "a request still has the client");
}

#[test]
fn names_without_a_destination_say_why() {
    for (dtab, fault) in [
        (
            "/other => /x",
            Fault::Unroutable { service: "/svc/web".into(), base_dtab: "  /other => /x".into() },
        ),
        ("", Fault::Unroutable { service: "/svc/web".into(), base_dtab: String::new() }),
        ("/svc => !", Fault::Unroutable { service: "/svc/web".into(), base_dtab: "  /svc => !".into() }),
        (
            "/svc => /$/nil",
            Fault::Unroutable { service: "/svc/web".into(), base_dtab: "  /svc => /$/nil".into() },
        ),
        ("/svc => /$/none", Fault::Unbound("Unknown namer: none for path: /$/none/web".into())),
    ] {
        assert_eq!(leaf(&router(dtab), "web", at(0)).unwrap_err(), fault, "{dtab}");
    }
}
