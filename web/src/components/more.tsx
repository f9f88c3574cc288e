import { useEffect, useRef } from "react";
import { Button } from "./button";

interface Props {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
  what: string;
}

/** The next page of a list: by itself when its end comes near, or by the button. */
export function More({ hasNextPage, isFetchingNextPage, fetchNextPage, what }: Props) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!hasNextPage || isFetchingNextPage || element === null) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && fetchNextPage(),
      { root: document.getElementById("content"), rootMargin: "400px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  if (!hasNextPage) return null;
  return (
    <div ref={ref} className="page-x py-3">
      <Button busy={isFetchingNextPage} onClick={() => fetchNextPage()}>
        Show older {what}
      </Button>
    </div>
  );
}
