import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach } from "vitest";

// What is waited for comes late on a machine that compiles meanwhile.
configure({ asyncUtilTimeout: 10_000 });

afterEach(cleanup);
