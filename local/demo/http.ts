import type { Transcript } from "./transcript.ts";

/** The demo found something that is not as the quickstart says. */
export class Deviation extends Error {}

/** Somebody who talks to the REST API. */
export type Speaker = <T>(method: string, path: string, expected: { status: number }, body?: unknown) => Promise<T>;

/**
 * Sends requests as one person, and prints each with its answer.
 *
 * @param who for the transcript
 * @param bearer an API key or access token
 */
export function speakerFor(apiUrl: string, transcript: Transcript, who: string, bearer?: string): Speaker {
  return async <T>(method: string, path: string, expected: { status: number }, body?: unknown): Promise<T> => {
    transcript.request(who, `${method} ${path}`, body);
    const sentAt = performance.now();
    const response = await fetch(`${apiUrl}${path}`, {
      method,
      headers: {
        ...(bearer && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const answer: unknown = response.headers.get("content-type")?.includes("json")
      ? JSON.parse(text)
      : `${text
          .replace(/<[^>]*>|\s+/g, " ")
          .trim()
          .slice(0, 200)}`;
    transcript.answer(`${response.status} (${Math.round(performance.now() - sentAt)} ms)`, answer);
    if (response.status !== expected.status)
      throw new Deviation(`${method} ${path} answered ${response.status}, expected ${expected.status}`);
    return answer as T;
  };
}

/**
 * Asks again and again until there is an answer.
 *
 * @param what for the message when the time is over
 * @throws Deviation at the deadline
 */
export async function until<T>(what: string, ask: () => Promise<T | undefined>, deadlineMs = 120_000): Promise<T> {
  for (const deadline = Date.now() + deadlineMs; ;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Deviation(`waited ${deadlineMs / 1_000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** @throws Deviation with this text when the condition does not hold */
export function insist(condition: unknown, otherwise: string): asserts condition {
  if (!condition) throw new Deviation(otherwise);
}
