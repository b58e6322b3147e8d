// One-time tickets arrive in the fragment, which browsers never send. From there they go into this tab's memory.

const KEY = `sealbook.ticket.${location.pathname}`;

const inFragment = () => /^#(sbf_[A-Za-z0-9_-]{43})$/.exec(location.hash)?.[1];

/** The ticket of this page, or "" where there is none. It leaves the address bar at once, and survives a reload. */
export function takeTicket() {
  const ticket = inFragment();
  if (ticket) {
    sessionStorage.setItem(KEY, ticket);
    history.replaceState(null, "", location.pathname);
  }
  // Another link of this page, opened in the same tab, changes the fragment alone: no browser loads anything for that.
  addEventListener("hashchange", () => {
    if (inFragment()) location.reload();
  });
  return sessionStorage.getItem(KEY) ?? "";
}

/** Forgets the ticket, once it is good for nothing. */
export function dropTicket() {
  sessionStorage.removeItem(KEY);
}
