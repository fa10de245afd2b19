/** `2026-05-01T10:23:00Z`: as the API shows times that people read, whole seconds, UTC. */
export const isoSeconds = (time: Date): string => `${time.toISOString().slice(0, 19)}Z`;

/** With milliseconds, where order within a second matters. */
export const isoMillis = (time: Date): string => time.toISOString();
