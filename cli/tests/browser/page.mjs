// Opens a status page in Chromium, uses it, and prints the results as JSON.
import process from "node:process";
import { pathToFileURL } from "node:url";
import chromium from "@sparticuz/chromium";
import { chromium as playwright } from "playwright-core";

const [file, cellTitle, part] = process.argv.slice(2);
const browser = await playwright.launch({ executablePath: await chromium.executablePath(), args: chromium.args, headless: true });
try {
  const page = await browser.newPage();
  const [requests, errors] = [[], []];
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  const address = pathToFileURL(file).href;
  await page.goto(address);
  const names = () => page.locator("tbody th").allTextContents();
  const sortBy = (column) => page.getByRole("columnheader", { name: column }).getByRole("button").click();
  const seen = { title: await page.title(), atFirst: await names() };
  seen.colours = await page.locator("tbody td[data-state]").evaluateAll((cells) =>
    Object.fromEntries(cells.map((cell) => [cell.title, getComputedStyle(cell).backgroundColor])),
  );
  await sortBy("Log group");
  seen.nameDown = await names();
  await sortBy("Size");
  seen.bySize = await names();
  await page.getByTitle(cellTitle).click();
  seen.details = await page.locator("#details").innerText();
  await page.getByRole("searchbox").fill(part);
  seen.filtered = await names();
  await page.getByRole("searchbox").fill("");
  await page.getByRole("button", { name: /^failed/ }).click();
  seen.failed = await names();
  // The policy of the page forbids all network requests.
  seen.blocked = await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "sent", (error) => error.name));
  seen.requests = requests.filter((url) => url !== address && !url.startsWith("data:") && !url.startsWith("http://127.0.0.1:9/"));
  seen.errors = errors.filter((text) => !text.includes("127.0.0.1:9"));
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
