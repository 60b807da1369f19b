//! The operator's API: JSON over HTTP with a bearer token, for the `directlink` command and the lab.
//!
//! It is apart from the customers' two APIs because nobody else defined it: no old client must be
//! pleased, so it says things in our own words. Every body is a JSON object; an unknown member is
//! refused. `Authorization: Bearer TOKEN` on every request (RFC 6750).
//!
//! | method, path under `/operator/v1` | request | answer |
//! |---|---|---|
//! | `GET /state` | | `{"region":{"name","asn"},"locations":[…],"routers":[…],"ports":[…],"connections":[…],"interfaces":[…],"nics":[…]}`: the lists below in one |
//! | `POST /accounts` | `{}` or `{"email","password"}` (either may be left out) | 201 `{"id","access_key","secret_key","login","password"}`; the two secrets are shown only here |
//! | `GET /accounts` | | `{"accounts":[{"id","login","created_at"}]}` |
//! | `POST /locations` | `{"code":"PAR1","name":"Telehouse 3, France","subregion":"eu-west-2a"}` | 201, the same |
//! | `GET /locations` | | `{"locations":[{"code","name","subregion"}]}` |
//! | `POST /routers` | `{"name":"par1-r1","location":"PAR1","vtep":"10.255.0.1"}` | 201 `{"name","location","vtep","bgp_identifier","identity":{"ca_pem","cert_pem","key_pem"}}`; the private key is shown only here |
//! | `GET /routers` | | `{"routers":[{"name","location","vtep","bgp_identifier"}]}` |
//! | `POST /ports` | `{"port":"par1-r1/p0","speed":"1Gbps"}` or `"10Gbps"` | 201 `{"port","router","name","speed","connection":null}` |
//! | `GET /ports` | | `{"ports":[{"port","router","name","speed","connection":"dxcon-…" or null}]}` |
//! | `GET /orders` | | `{"orders":[connection…]}`: those still `requested`, oldest first |
//! | `GET /connections` | | `{"connections":[{"id","account","name","location","bandwidth","state","requested_at","approved_at","port","light","light_since"}]}`; what is not known is null |
//! | `POST /orders/dxcon-…/approve` | `{}` or `{"port":"par1-r1/p0"}` | 200, the connection: a port is taken, the Letter of Authorization sent |
//! | `GET /interfaces` | | `{"interfaces":[{"id","connection","owner","name","vlan","asn","state","gateway","router_address","customer_address","configured","session_up","forwarding"}]}` |
//! | `GET /nics` | | `{"nics":[{"id","account","net","vni","subnet","subnet_range","gateway_address","address","mac","vtep"}]}` |
//! | `POST /nics/eni-…/place` | `{"vtep":"10.255.0.9"}`, or `null`: nowhere | 200, the NIC |
//! | `GET /clock` | | `{"now":"2026-01-01T00:00:00Z","virtual":false}` |
//! | `POST /clock/advance` | `{"seconds":604800}` | 200 as `GET /clock`; 409 `clock_is_real` otherwise |
//!
//! A refusal is `{"error":{"code":"port_taken","message":"The port … is already taken."}}`: 400 what
//! was asked is not well formed, 401 the token, 404 no such thing, 405 method, 409 in conflict with
//! what is there, 500 our failure.
