/**
 * A person with a browser, as far as a test needs one: follows redirects, keeps cookies, signs in and agrees.
 *
 * @module
 */

/** Pages that may come on the way. */
const MAX_PAGES = 20;

/** Authorises at `address`; the query with which the authorization server sends the browser back to `callback`. */
export async function authorise(address: URL, callback: string): Promise<URLSearchParams> {
  const cookies = new Map<string, string>();
  let [next, form]: [URL, URLSearchParams | undefined] = [address, undefined];
  for (let page = 0; page < MAX_PAGES; page++) {
    const response: Response = await fetch(next, {
      redirect: "manual",
      method: form === undefined ? "GET" : "POST",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      ...(form !== undefined && { body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie)!;
      cookies.set(name!, value!);
    }
    const text = await response.text();
    const location = response.headers.get("location");
    if (location !== null) {
      [next, form] = [new URL(location, next), undefined];
      if (next.href.startsWith(callback)) return next.searchParams;
      continue;
    }
    const action = /<form[^>]* action="([^"]+)"/.exec(text)?.[1];
    if (action === undefined) throw new Error(`no form at ${next}: ${response.status} ${text}`);
    const prompt = /name="prompt" value="([^"]+)"/.exec(text)![1]!;
    form = new URLSearchParams({ prompt, login: "somebody", password: "something" });
    next = new URL(action, next);
  }
  throw new Error(`more than ${MAX_PAGES} pages`);
}
