// Functions of the world in `wit/`.

export function greet(name) {
  return `Hello, ${name}!`;
}
