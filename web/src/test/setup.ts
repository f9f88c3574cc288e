import "@testing-library/jest-dom/vitest";
import { cleanup, configure } from "@testing-library/react";
import { afterEach, vi } from "vitest";

// What is waited for comes late on a machine that compiles meanwhile.
configure({ asyncUtilTimeout: 10_000 });

// The files of tests share a process: what one has mocked, another may have read unmocked before.
vi.resetModules();

afterEach(cleanup);
