"""What is made from the notebooks for readers: boxes and tables (`index`), results, syllabus, web pages (`site`)."""
