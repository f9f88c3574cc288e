import { Bone, BoneLine, HeadBones, Loading } from "@/components/skeleton";

export const DeploySkeleton = () => (
  <>
    <Loading what="the deploy" />
    <HeadBones className="pb-4" />
    <div className="page-x border-t pt-2" aria-hidden>
      <div className="flex h-9 items-center">
        <Bone className="w-20" />
      </div>
      {["w-2/5", "w-1/3", "w-1/2"].map((width) => (
        <div key={width} className="flex flex-col gap-1 pb-3">
          <BoneLine line="h-7" className="w-24" />
          <Bone className={width} />
        </div>
      ))}
    </div>
  </>
);
