// What the page's address says of its machine: ?name=box keeps it under that name.
const name = new URL(location.href).searchParams.get("name");
if (name) document.querySelector("alpine-vm")!.setAttribute("name", name);
