// One-time tickets arrive in the fragment, which browsers never send. From there they go into this tab's memory.

const KEY = `sealbook.ticket.${location.pathname}`;

/** The ticket of this page, or "" where there is none. It leaves the address bar at once, and survives a reload. */
export function takeTicket() {
  const fragment = location.hash.slice(1);
  if (/^sbf_[A-Za-z0-9_-]{43}$/.test(fragment)) {
    sessionStorage.setItem(KEY, fragment);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY) ?? "";
}

/** Forgets the ticket, once it is good for nothing. */
export function dropTicket() {
  sessionStorage.removeItem(KEY);
}
