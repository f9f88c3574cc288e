import type { ArtifactImage } from "@/api/types";
import { CopyButton } from "@/components/copy";
import { splitReference } from "@/lib/format";

/** The images that it brings out, by digest. */
export function Images({ images }: { images: ArtifactImage[] }) {
  if (images.length === 0) return null;
  return (
    <section aria-label="Images" className="border-t pt-2 pb-8">
      <h2 className="page-x py-2 font-medium">Images</h2>
      <ul>
        {images.map((image) => {
          const { repository, digest } = splitReference(image.reference);
          return (
            <li key={image.name} className="page-x flex items-center gap-3 py-0.5">
              <span className="min-w-0 flex-1">
                <code className="font-mono text-xs wrap-anywhere">{repository}</code>
                {digest && (
                  <code className="font-mono text-xs wrap-anywhere text-faint">@{digest}</code>
                )}
              </span>
              <span className="shrink-0 text-faint">{image.built ? "built" : "used as is"}</span>
              <CopyButton text={image.reference} label={`Copy the reference of ${image.name}`} />
            </li>
          );
        })}
      </ul>
    </section>
  );
}
