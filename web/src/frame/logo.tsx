/** The winged messenger's wing, in three strokes. */
export function Logo({ className = "size-6" }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" className={className} aria-hidden="true">
      <rect width="32" height="32" rx="7" className="fill-accent" />
      <path
        d="M7 10h18M7 16h13M7 22h8"
        transform="skewX(-14) translate(4.2 0)"
        className="stroke-on-accent"
        strokeWidth="3.4"
        strokeLinecap="round"
      />
    </svg>
  );
}
