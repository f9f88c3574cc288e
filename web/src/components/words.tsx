/** A sentence of the server's: what stands in `backticks` is set as code, and a sentence begins in upper case. */
export function Words({ text }: { text: string }) {
  const parts = text.split("`");
  // An odd backtick quotes nothing.
  if (parts.length % 2 === 0) return begin(text);
  return parts.map((part, index) =>
    index % 2 === 0 ? (
      index === 0 ? (
        begin(part)
      ) : (
        part
      )
    ) : (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of a sentence never change their order
      <code key={index} className="font-mono text-[0.92em] wrap-anywhere">
        {part}
      </code>
    ),
  );
}

/** Only a plain word begins in upper case: names, paths and URLs stay as they are written. */
const begin = (text: string): string =>
  /^[a-z]+('[a-z]+)?([,;:]?\s|$)/.test(text)
    ? text.slice(0, 1).toUpperCase() + text.slice(1)
    : text;
