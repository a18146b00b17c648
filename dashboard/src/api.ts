// Requests to the process that serves this page. Every address is relative to the page's own.

import { signal } from "@preact/signals";
import { forTab } from "./storage.ts";
import type { Problem } from "./wire.ts";

export interface Answer<T> {
  value: T;
  /** The process that answered; an action on what was read goes back to it alone. */
  instance: string | null;
  /** When it arrived, by `performance.now()`. */
  at: number;
  /** Its length. */
  size: number;
}

/** An answer that is not the wanted one; status 0 where there was none. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail);
  }
}

/** Set while the server wants a token that the page does not have. */
export const locked = signal<{ refused: boolean } | null>(null);

export const base = new URL("./", document.baseURI);
// Several services may stand behind prefixes of one origin, each with a token of its own.
const TOKEN = `headcount-token ${base.pathname}`;

let unlock: (() => void)[] = [];

export function setToken(token: string): void {
  forTab.set(TOKEN, token);
  locked.value = null;
  const waiting = unlock;
  unlock = [];
  for (const go of waiting) go();
}

/** Resolves when the reader has given a token. */
export function tokenGiven(): Promise<void> {
  return new Promise((resolve) => unlock.push(resolve));
}

export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const token = forTab.get(TOKEN);
  const headers = new Headers(init.headers);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  const response = await fetch(new URL(`api/v1/${path}`, base), { ...init, headers, cache: "no-store" }).catch(
    (error: unknown) => {
      if (isAbort(error)) throw error;
      throw new ApiError(0, "No answer", "The process does not answer.");
    },
  );
  if (response.status === 401) refuse(token);
  if (!response.ok) throw await problem(response);
  return response;
}

/** Whether the page itself ended the request, also because no answer came in time. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "AbortError" || error.name === "TimeoutError");
}

function refuse(token: string | null): void {
  // Another request may have been refused after a better token was given.
  if (token !== forTab.get(TOKEN)) return;
  forTab.remove(TOKEN);
  locked.value = { refused: token !== null || locked.value?.refused === true };
}

async function problem(response: Response): Promise<ApiError> {
  const fallback = new ApiError(response.status, `Status ${response.status}`, `The answer was ${response.status}.`);
  if (!(response.headers.get("content-type") ?? "").includes("json")) return fallback;
  const body = (await response.json().catch(() => null)) as Partial<Problem> | null;
  return new ApiError(response.status, body?.title ?? fallback.title, body?.detail ?? body?.title ?? fallback.detail);
}

/** After that long an answer is not waited for any more. */
const PATIENCE = 15_000;

/** For questions that take no longer while the process is well. */
export function inTime(): AbortSignal {
  return AbortSignal.timeout(PATIENCE);
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<Answer<T>> {
  const response = await request(path, signal === undefined ? {} : { signal });
  const body = await response.text();
  const value = JSON.parse(body) as T;
  return { value, instance: response.headers.get("headcount-instance"), at: performance.now(), size: body.length };
}

/** An action on the process `instance` whose answer is read. */
export async function ask<T>(path: string, instance: string | null): Promise<Answer<T>> {
  const response = await request(path, { method: "POST", headers: ifMatch(instance) });
  const body = await response.text();
  return { value: JSON.parse(body) as T, instance, at: performance.now(), size: body.length };
}

function ifMatch(instance: string | null): Record<string, string> {
  return instance === null ? {} : { "if-match": `"${instance}"` };
}

/** An action on the process `instance`, and on no other. */
export async function post(path: string, instance: string | null, body?: unknown): Promise<void> {
  const headers = ifMatch(instance);
  if (body !== undefined) headers["content-type"] = "application/json";
  await request(path, { method: "POST", headers, body: body === undefined ? null : JSON.stringify(body) });
}

/** What an action that failed says to the reader. */
export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return "It failed, and the page does not know why.";
  if (error.status === 412) return "Another process answered. Nothing was done.";
  if (error.status === 0) return "No answer. Nothing is known to have been done.";
  return error.detail;
}
