interface Asked<Question, Answer> {
  question: Question;
  resolve(answer: Answer): void;
  reject(cause: unknown): void;
}

/**
 * Gathers the questions of one turn of the event loop and asks them together, at most so many at a time: what a question costs
 * is then a part of what a command costs. The answers come in the order of the questions; one that is an Error, or a rejection
 * for all, rejects.
 */
export function batchPerTurn<Question, Answer>(
  most: number,
  askAll: (questions: readonly Question[]) => Promise<readonly (Answer | Error)[]>,
): (question: Question) => Promise<Answer> {
  let asked: Asked<Question, Answer>[] = [];

  async function ask(batch: readonly Asked<Question, Answer>[]): Promise<void> {
    try {
      const answers = await askAll(batch.map(({ question }) => question));
      for (const [at, { resolve, reject }] of batch.entries()) {
        const answer = answers[at];
        if (answer === undefined || answer instanceof Error) reject(answer ?? new Error("no answer in the batch"));
        else resolve(answer);
      }
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }

  function flush(): void {
    const all = asked;
    asked = [];
    for (let at = 0; at < all.length; at += most) void ask(all.slice(at, at + most));
  }

  return (question) =>
    new Promise<Answer>((resolve, reject) => {
      if (asked.length === 0) setImmediate(flush);
      asked.push({ question, resolve, reject });
    });
}
