/** A command line as a person types it, in its arguments: blanks part them, quotes keep them together. */
export function splitArguments(line: string): string[] {
  const found = line.matchAll(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g);
  return [...found].map(([word]) =>
    word.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => {
      return double ?? single ?? "";
    }),
  );
}
