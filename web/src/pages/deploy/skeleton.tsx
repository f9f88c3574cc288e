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
    <div className="page-x border-t pt-2" aria-hidden>
      <div className="flex h-9 items-center">
        <Bone className="w-20" />
      </div>
      {["w-2/5", "w-1/3", "w-1/2"].map((width) => (
        <div key={width} className="flex flex-col gap-1 pb-3">
          <div className="flex h-7 items-center">
            <Bone className="w-24" />
          </div>
          <Bone className={width} />
        </div>
      ))}
    </div>
  </>
);
