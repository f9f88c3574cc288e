export { TableSkeleton } from "./skeleton";
export { type Column, DataTable, type Sort } from "./table";
