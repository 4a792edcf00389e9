// Questions to the API of this machine, and its refusals in words. Nothing else is ever asked.
import { remember, remembered } from "./preferences.js";

export class Unavailable extends Error {
  constructor(message, { status = 0, body = null } = {}) {
    super(message);
    this.status = status;
    this.body = body;
  }
}

/** The answer to `GET path?parameters` as JSON; raises `Unavailable` with a sentence for a person. */
export async function get(path, parameters = {}, { accept = [200] } = {}) {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined));
  const token = remembered("token", null);
  let response;
  try {
    response = await fetch(`${path}${query.size ? `?${query}` : ""}`, { headers: token ? { Authorization: `Bearer ${token}` } : {} });
  } catch {
    throw new Unavailable("GoldSignal does not answer. It may have been stopped; `goldsignal up` starts it. This page tries again by itself.");
  }
  const body = await response.json().catch(() => null);
  if (accept.includes(response.status)) return body;
  if (response.status === 401) throw new Unavailable("The API asks for its token (GOLDSIGNAL_API_TOKEN).", { status: 401 });
  throw new Unavailable(told(body) ?? `The API answered ${response.status}.`, { status: response.status, body });
}

function told(body) {
  const parts = [body?.message ?? body?.error ?? (typeof body?.detail === "string" ? body.detail : null), body?.done, body?.fix];
  const text = parts.filter((part) => typeof part === "string" && part).join(" ");
  return text || null;
}

/** Every row of a paged answer. */
export async function everyRow(path, parameters, name) {
  const rows = [];
  let cursor = null;
  do {
    const page = await get(path, { ...parameters, cursor });
    rows.push(...page[name]);
    cursor = page.next ?? null;
  } while (cursor);
  return rows;
}

export function useToken(token) {
  remember("token", token);
}
