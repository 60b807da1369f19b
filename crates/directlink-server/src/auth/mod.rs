//! Who is asking: signatures and passwords.
