import { Bone, Loading } from "@/components/skeleton";

export const DeploySkeleton = () => (
  <>
    <Loading what="the deploy" />
    <div className="page-x flex flex-col gap-1 pt-4 pb-4" aria-hidden>
      <div className="flex h-7 items-center">
        <Bone className="h-5! w-44" />
      </div>
      <div className="flex h-5 items-center">
        <Bone className="w-80 max-w-full" />
      </div>
      <div className="flex h-5 items-center">
        <Bone className="w-56" />
      </div>
    </div>
    <div className="page-x flex gap-10 border-y py-3" aria-hidden>
      {["a", "b", "c"].map((key) => (
        <div key={key} className="flex h-9 flex-1 items-center">
          <Bone className="w-24" />
        </div>
      ))}
    </div>
    <div className="page-x flex flex-col gap-3 pt-6" aria-hidden>
      {["w-2/5", "w-1/3", "w-1/2", "w-1/4"].map((width) => (
        <Bone key={width} className={width} />
      ))}
    </div>
  </>
);
